//! ComputeCapabilitiesFilter: the host is what the flavor's extra specs `capabilities:*` ask for, with
//! Nova's operators. A capability that hosts do not have is met by none.

use std::fmt::Write as _;

use super::Rows;
use crate::choice::World;
use crate::operators::satisfies;
use crate::request::Request;
use crate::snapshot::Snapshot;

const SCOPE: &str = "capabilities:";

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    let wanted = || request.flavor.extra_specs.iter().filter_map(|(key, value)| Some((key.strip_prefix(SCOPE)?, value)));
    wanted().next()?;
    let mut passes = vec![true; world.snapshot.len()];
    for (key, asked) in wanted() {
        let mut answers = Answers::default();
        for (row, passes) in passes.iter_mut().enumerate().filter(|(_, passes)| **passes) {
            *passes = value(world.snapshot, row, key).is_some_and(|value| answers.satisfies(value, asked));
        }
    }
    Some(Rows { passes })
}

/// What a host has of something.
enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

/// Hosts have the same few numbers of most things: each is written and compared once.
#[derive(Default)]
struct Answers {
    known: Vec<(u64, bool)>,
    text: String,
}

/// Of more numbers than this, comparing is as quick as remembering.
const REMEMBERED: usize = 8;

impl Answers {
    fn satisfies(&mut self, value: Value<'_>, asked: &str) -> bool {
        let number = match value {
            Value::Text(text) => return satisfies(text, asked),
            Value::Number(number) => number,
        };
        if let Some((_, answer)) = self.known.iter().find(|(known, _)| *known == number) {
            return *answer;
        }
        self.text.clear();
        // Writing into a string does not fail.
        let _ = write!(self.text, "{number}");
        let answer = satisfies(&self.text, asked);
        if self.known.len() < REMEMBERED {
            self.known.push((number, answer));
        }
        answer
    }
}

/// What the host has of that name: Nova's names of what its hosts tell.
fn value<'a>(snapshot: &'a Snapshot, row: usize, key: &str) -> Option<Value<'a>> {
    let platform = snapshot.class(row).platform.as_ref()?;
    let resources = snapshot.resources[row].as_ref()?;
    Some(match key {
        // Nova says QEMU of all hosts that libvirt drives.
        "hypervisor_type" => Value::Text("QEMU"),
        "hypervisor_version" => Value::Number(version_number(&platform.hypervisor_version)),
        "hypervisor_hostname" | "host" => Value::Text(snapshot.names[row].as_str()),
        "cpu_info:arch" | "architecture" => Value::Text(&platform.architecture),
        "virt_type" => Value::Text(resources.virt_type.as_str()),
        "libvirt_version" => Value::Text(&platform.libvirt_version),
        "vcpus_total" => Value::Number(resources.vcpus.into()),
        "vcpus_used" => Value::Number(snapshot.usage[row].vcpus),
        "total_usable_ram_mb" => Value::Number(resources.ram_mib),
        "free_ram_mb" => Value::Number(snapshot.free_ram_mib[row].into()),
        "num_instances" => Value::Number(snapshot.instances[row].into()),
        "num_io_ops" => Value::Number(snapshot.io_ops[row].into()),
        _ => return None,
    })
}

/// 10.0.2 as 10000002, as Nova writes versions.
fn version_number(version: &str) -> u64 {
    version.split('.').take(3).fold(0, |number, part| number * 1000 + part.parse::<u64>().unwrap_or(0).min(999))
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::test_hosts::{flavor, input, lets_pass, request, texts};

    #[test]
    fn hosts_have_what_is_asked() {
        let mut flavor = flavor(1, 1);
        for (key, value, passes) in [
            ("capabilities:hypervisor_type", "QEMU", true),
            ("capabilities:hypervisor_type", "s== xen", false),
            ("capabilities:hypervisor_version", ">= 10000000", true),
            ("capabilities:cpu_info:arch", "<or> aarch64 <or> x86_64", true),
            ("capabilities:vcpus_total", ">= 16", false),
            ("capabilities:free_ram_mb", ">= 1024", true),
            ("capabilities:gpu", "true", false),
            ("hw:mem_page_size", "large", true),
            ("gpu", "true", true),
        ] {
            flavor.extra_specs = texts(&[(key, value)]);
            let verdict = lets_pass(Filter::ComputeCapabilities, input("a", 1024), &[], &request(&flavor));
            assert_eq!(verdict, passes, "{key}={value}");
        }
    }
}
