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
    let mut value = String::new();
    let mut has = |row: usize, key: &str, asked: &str| {
        value.clear();
        write_value(world.snapshot, row, key, &mut value).is_some_and(|()| satisfies(&value, asked))
    };
    let rows = 0..world.snapshot.len();
    Some(Rows { passes: rows.map(|row| wanted().all(|(key, asked)| has(row, key, asked))).collect() })
}

/// Writes what the host has of that name: Nova's names of what its hosts tell.
fn write_value(snapshot: &Snapshot, row: usize, key: &str, value: &mut String) -> Option<()> {
    let platform = snapshot.class(row).platform.as_ref()?;
    let resources = snapshot.resources[row].as_ref()?;
    let written = match key {
        // Nova says QEMU of all hosts that libvirt drives.
        "hypervisor_type" => value.write_str("QEMU"),
        "hypervisor_version" => write!(value, "{}", version_number(&platform.hypervisor_version)),
        "hypervisor_hostname" | "host" => value.write_str(snapshot.names[row].as_str()),
        "cpu_info:arch" | "architecture" => value.write_str(&platform.architecture),
        "virt_type" => value.write_str(resources.virt_type.as_str()),
        "libvirt_version" => value.write_str(&platform.libvirt_version),
        "vcpus_total" => write!(value, "{}", resources.vcpus),
        "vcpus_used" => write!(value, "{}", snapshot.usage[row].vcpus),
        "total_usable_ram_mb" => write!(value, "{}", resources.ram_mib),
        "free_ram_mb" => write!(value, "{}", snapshot.free_ram_mib[row]),
        "num_instances" => write!(value, "{}", snapshot.instances[row]),
        "num_io_ops" => write!(value, "{}", snapshot.io_ops[row]),
        _ => return None,
    };
    written.ok()
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
