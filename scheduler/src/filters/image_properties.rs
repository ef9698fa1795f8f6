//! ImagePropertiesFilter: the host is what the image says that it needs: `hw_architecture`,
//! `img_hv_type`, `hw_vm_mode` and `img_hv_requested_version`, by these or their older names.

use std::collections::BTreeMap;

use super::Classes;
use crate::choice::World;
use crate::request::Request;
use crate::rules::{Class, Platform};

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<Classes<'a>> {
    let properties = request.image_properties;
    let wanted = Wanted {
        architecture: either(properties, ["hw_architecture", "architecture"]),
        hypervisor: either(properties, ["img_hv_type", "hypervisor_type"]),
        mode: either(properties, ["hw_vm_mode", "vm_mode"]),
        version: either(properties, ["img_hv_requested_version", "hypervisor_version_requires"]),
    };
    match wanted {
        Wanted { architecture: None, hypervisor: None, mode: None, version: None } => None,
        wanted => {
            Classes::of(world.snapshot, |class: &Class| class.platform.as_ref().is_some_and(|platform| wanted.is(platform)))
        }
    }
}

struct Wanted<'a> {
    architecture: Option<&'a str>,
    hypervisor: Option<&'a str>,
    mode: Option<&'a str>,
    version: Option<&'a str>,
}

impl Wanted<'_> {
    fn is(&self, platform: &Platform) -> bool {
        let architecture = self.architecture.is_none_or(|wanted| canonical(wanted) == canonical(&platform.architecture));
        let names = platform.hypervisor_types();
        let hypervisor = self.hypervisor.is_none_or(|wanted| names.iter().any(|name| name.eq_ignore_ascii_case(wanted)));
        let mode = self.mode.is_none_or(|wanted| wanted.eq_ignore_ascii_case("hvm"));
        architecture && hypervisor && mode && self.version.is_none_or(|wanted| meets(&platform.hypervisor_version, wanted))
    }
}

fn either<'a>(properties: &'a BTreeMap<String, String>, names: [&str; 2]) -> Option<&'a str> {
    names.iter().find_map(|name| properties.get(*name)).map(String::as_str).filter(|value| !value.is_empty())
}

/// The names under which architectures go.
fn canonical(architecture: &str) -> String {
    match architecture.to_ascii_lowercase().as_str() {
        "amd64" | "x86-64" => "x86_64".to_owned(),
        "arm64" => "aarch64".to_owned(),
        "i386" | "i486" | "i586" | "x86" => "i686".to_owned(),
        other => other.to_owned(),
    }
}

/// Comparisons of versions, with commas between: `>=6.0, <11`. All have to hold.
fn meets(version: &str, wanted: &str) -> bool {
    wanted.split(',').map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        let (number, order) = match part.find(|c: char| c.is_ascii_digit()) {
            Some(at) => (&part[at..], part[..at].trim()),
            None => return false,
        };
        let (has, asked) = (parts(version), parts(number));
        match order {
            ">=" => has >= asked,
            "<=" => has <= asked,
            ">" => has > asked,
            "<" => has < asked,
            "!=" => has != asked,
            "=" | "==" | "" => has == asked,
            _ => false,
        }
    })
}

/// The numbers of a version; zeros at the end say nothing.
fn parts(version: &str) -> Vec<u64> {
    let mut parts: Vec<u64> = version.split('.').map(|part| part.trim().parse().unwrap_or(0)).collect();
    while parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{flavor, input, lets_pass, request, texts};

    #[test]
    fn images_go_where_they_can_run() {
        let flavor = flavor(1, 1);
        for (key, value, passes) in [
            ("hw_architecture", "x86_64", true),
            ("architecture", "amd64", true),
            ("hw_architecture", "aarch64", false),
            ("img_hv_type", "qemu", true),
            ("hypervisor_type", "kvm", true),
            ("img_hv_type", "xen", false),
            ("hw_vm_mode", "hvm", true),
            ("hw_vm_mode", "xen", false),
            ("img_hv_requested_version", ">=9.1, <11", true),
            ("img_hv_requested_version", ">= 10.0.3", false),
            ("img_hv_requested_version", "nonsense", false),
            ("os_distro", "debian", true),
        ] {
            let properties = texts(&[(key, value)]);
            let request = Request { image_properties: &properties, ..request(&flavor) };
            assert_eq!(lets_pass(Filter::ImageProperties, input("a", 1), &[], &request), passes, "{key}={value}");
        }
    }
}
