//! The extra specs that Nova knows. From 2.86 on a name in one of its namespaces is one of these, with a
//! value of its kind; names outside them are anybody's.

use crate::error::ApiError;

/// What a value is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// A whole number, at least this.
    Number(i64),
    Truth,
    OneOf(&'static [&'static str]),
}

use Kind::{Number, OneOf, Text, Truth};

const SHARES: Kind = OneOf(&["high", "normal", "low", "custom"]);

/// Namespaces in which every name is known, with the names; `{n}` is a number.
const KNOWN: &[(&str, &[(&str, Kind)])] = &[
    ("accel", &[("device_profile", Text)]),
    (
        "hw",
        &[
            ("boot_menu", Truth),
            ("cpu_cores", Number(1)),
            ("cpu_dedicated_mask", Text),
            ("cpu_max_cores", Number(1)),
            ("cpu_max_sockets", Number(1)),
            ("cpu_max_threads", Number(1)),
            ("cpu_policy", OneOf(&["dedicated", "shared", "mixed"])),
            ("cpu_realtime", Truth),
            ("cpu_realtime_mask", Text),
            ("cpu_sockets", Number(1)),
            ("cpu_thread_policy", OneOf(&["prefer", "isolate", "require"])),
            ("cpu_threads", Number(1)),
            ("emulator_threads_policy", OneOf(&["isolate", "share"])),
            ("hide_hypervisor_id", Truth),
            ("input_bus", OneOf(&["usb", "virtio"])),
            ("locked_memory", Truth),
            ("maxphysaddr_bits", Number(0)),
            ("maxphysaddr_mode", OneOf(&["passthrough", "emulate"])),
            ("mem_encryption", Truth),
            ("mem_encryption_model", Text),
            ("mem_page_size", Text),
            ("numa_cpus.{n}", Text),
            ("numa_mem.{n}", Number(1)),
            ("numa_nodes", Number(1)),
            ("pci_numa_affinity_policy", OneOf(&["required", "preferred", "legacy", "socket"])),
            ("pmem", Text),
            ("serial_port_count", Number(0)),
            ("tpm_model", OneOf(&["tpm-crb", "tpm-tis"])),
            ("tpm_secret_security", Text),
            ("tpm_version", OneOf(&["1.2", "2.0"])),
            ("vif_multiqueue_enabled", Truth),
            ("viommu_model", OneOf(&["intel", "smmuv3", "virtio", "auto"])),
            ("virtio_packed_ring", Truth),
            ("watchdog_action", OneOf(&["none", "pause", "poweroff", "reset", "disabled"])),
        ],
    ),
    ("hw_rng", &[("allowed", Truth), ("rate_bytes", Number(0)), ("rate_period", Number(0))]),
    ("hw_video", &[("ram_max_mb", Number(0))]),
    ("os", &[("secure_boot", OneOf(&["disabled", "required"]))]),
    ("pci_passthrough", &[("alias", Text)]),
    (
        "quota",
        &[
            ("cpu_limit", Number(0)),
            ("cpu_period", Number(0)),
            ("cpu_quota", Number(-1)),
            ("cpu_reservation", Number(0)),
            ("cpu_shares", Number(0)),
            ("cpu_shares_level", SHARES),
            ("cpu_shares_share", Number(0)),
            ("disk_io_limit", Number(0)),
            ("disk_io_reservation", Number(0)),
            ("disk_io_shares_level", SHARES),
            ("disk_io_shares_share", Number(0)),
            ("disk_read_bytes_sec", Number(0)),
            ("disk_read_iops_sec", Number(0)),
            ("disk_total_bytes_sec", Number(0)),
            ("disk_total_iops_sec", Number(0)),
            ("disk_write_bytes_sec", Number(0)),
            ("disk_write_iops_sec", Number(0)),
            ("memory_limit", Number(0)),
            ("memory_reservation", Number(0)),
            ("memory_shares_level", SHARES),
            ("memory_shares_share", Number(0)),
            ("vif_inbound_average", Number(0)),
            ("vif_inbound_burst", Number(0)),
            ("vif_inbound_peak", Number(0)),
            ("vif_limit", Number(0)),
            ("vif_outbound_average", Number(0)),
            ("vif_outbound_burst", Number(0)),
            ("vif_outbound_peak", Number(0)),
            ("vif_reservation", Number(0)),
            ("vif_shares_level", SHARES),
            ("vif_shares_share", Number(0)),
        ],
    ),
    ("vmware", &[("hw_version", Text), ("storage_policy", Text)]),
];

/// Is this a name of Nova's with a value of its kind, or a name that is none of its business?
pub fn check(key: &str, value: &str) -> Result<(), ApiError> {
    let Some((namespace, name)) = key.split_once(':') else {
        return match key {
            "hide_hypervisor_id" => check_value(key, value, Truth),
            "group_policy" => check_value(key, value, OneOf(&["none", "isolate"])),
            _ => Ok(()),
        };
    };
    if has_group(namespace, "trait") {
        return check_value(key, value, OneOf(&["required", "forbidden"]));
    }
    if has_group(namespace, "resources") {
        return check_value(key, value, Number(0));
    }
    let Some((_, names)) = KNOWN.iter().find(|(known, _)| *known == namespace) else { return Ok(()) };
    let plain = numbered(name);
    match names.iter().find(|(known, _)| *known == name || *known == plain) {
        Some((_, kind)) => check_value(key, value, *kind),
        None => {
            Err(ApiError::BadRequest(format!("Validation failed; extra spec '{key}' does not appear to be a valid extra spec.")))
        }
    }
}

/// `trait`, `trait1`, `trait_net`.
fn has_group(namespace: &str, word: &str) -> bool {
    namespace.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'))
}

/// The name with `{n}` in place of a number at its end.
fn numbered(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((front, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{front}.{{n}}")
        }
        _ => name.to_owned(),
    }
}

fn check_value(key: &str, value: &str, kind: Kind) -> Result<(), ApiError> {
    let why = match kind {
        Text => return Ok(()),
        Number(least) if value.parse::<i64>().is_ok_and(|number| number >= least) => return Ok(()),
        Number(least) => format!("must be a whole number, at least {least}"),
        Truth if crate::web::query::boolean(value).is_some() => return Ok(()),
        Truth => "must be a boolean".into(),
        OneOf(words) if words.contains(&value) => return Ok(()),
        OneOf(words) => format!("must be one of: {}", words.join(", ")),
    };
    let value = crate::compute::links::shown(value);
    Err(ApiError::BadRequest(format!("Validation failed; '{value}' for extra spec '{key}' {why}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_novas_namespaces_are_novas() {
        for (key, value) in [
            ("hw:cpu_policy", "dedicated"),
            ("hw:numa_nodes", "2"),
            ("hw:numa_mem.1", "512"),
            ("hw_rng:allowed", "True"),
            ("quota:disk_read_iops_sec", "100"),
            ("trait:HW_CPU_X86_AVX", "required"),
            ("trait_net:CUSTOM_X", "forbidden"),
            ("resources1:CUSTOM_GPU", "1"),
            ("group_policy", "none"),
            ("aggregate_instance_extra_specs:ssd", "anything"),
            ("capabilities:cpu_info", "x"),
            ("my:own", "thing"),
            ("plain", "thing"),
            ("traitor:x", "y"),
        ] {
            assert!(check(key, value).is_ok(), "{key}");
        }
        for (key, value) in [
            ("hw:cpu_policy", "sharred"),
            ("hw:cpu_polic", "shared"),
            ("hw:numa_nodes", "0"),
            ("hw:numa_mem.x", "512"),
            ("hw_rng:allowed", "maybe"),
            ("quota:disk_read_iops", "100"),
            ("trait:HW_CPU_X86_AVX", "yes"),
            ("resources:VCPU", "-1"),
            ("os:secure_boot", "on"),
        ] {
            assert!(check(key, value).unwrap_err().to_string().contains(key), "{key}");
        }
    }
}
