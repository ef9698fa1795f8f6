//! Extra specs of flavors that ask for something of the guest or its host which no guest is given yet. A server
//! of such a flavor is refused naming the key: one that ran without what its flavor promises would be worse.
//!
//! What a guest has anyway may be asked for. Names in other namespaces, or in none, are for the choice of a host or an
//! operator's own notes, and `vmware:` is about another hypervisor: they are kept, as in Nova. Limits of disks are read
//! in [`crate::disk_limits`].

use std::collections::BTreeMap;

use crate::disk_limits::LimitError;

/// Namespaces whose every name is about what the guest or its host has.
const NAMESPACES: [&str; 7] = ["accel", "hw", "hw_rng", "hw_video", "os", "pci_passthrough", "quota"];

/// What every guest has, or has not, whether or not its flavor says so; in lower case.
const ANYWAY: [(&str, &[&str]); 15] = [
    ("hide_hypervisor_id", NO),
    ("hw:boot_menu", NO),
    ("hw:cpu_policy", &["shared"]),
    ("hw:cpu_realtime", NO),
    ("hw:cpu_thread_policy", &["prefer"]),
    ("hw:emulator_threads_policy", &["share"]),
    ("hw:hide_hypervisor_id", NO),
    ("hw:locked_memory", NO),
    ("hw:mem_encryption", NO),
    ("hw:mem_page_size", &["any", "small"]),
    ("hw:serial_port_count", &["1"]),
    ("hw:vif_multiqueue_enabled", NO),
    ("hw:watchdog_action", &["disabled"]),
    ("hw_rng:allowed", YES),
    ("os:secure_boot", &["disabled", "optional"]),
];
const NO: &[&str] = &["0", "f", "false", "off", "n", "no"];
const YES: &[&str] = &["1", "t", "true", "on", "y", "yes"];

/// Refuses the first spec that no guest could be given.
pub fn check(specs: &BTreeMap<String, String>) -> Result<(), LimitError> {
    match specs.iter().find(|(key, value)| asks_for_something(key) && !is_so_anyway(key, value)) {
        None => Ok(()),
        Some((key, value)) => Err(LimitError {
            key: key.clone(),
            why: format!("no guest can be given this ({}) yet", value.chars().take(60).collect::<String>()),
        }),
    }
}

fn asks_for_something(key: &str) -> bool {
    match key.split_once(':') {
        // Read as limits, and refused there where they make no sense.
        Some(("quota", name)) if name.starts_with("disk_") && !name.starts_with("disk_io_") => false,
        Some((namespace, _)) => NAMESPACES.contains(&namespace),
        None => key == "hide_hypervisor_id",
    }
}

fn is_so_anyway(key: &str, value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ANYWAY.iter().any(|(known, values)| *known == key && values.contains(&value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(key: &str, value: &str) -> Result<(), LimitError> {
        check(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn notes_and_what_is_so_anyway_are_taken() {
        for (key, value) in [
            ("own", "1"),
            ("my:own", "thing"),
            ("vmware:hw_version", "vmx-13"),
            ("aggregate_instance_extra_specs:ssd", "true"),
            ("hw:cpu_policy", "shared"),
            ("hw:mem_page_size", "any"),
            ("hw_rng:allowed", "True"),
            ("hide_hypervisor_id", "False"),
            ("quota:disk_total_iops_sec", "100"),
        ] {
            assert_eq!(check_one(key, value), Ok(()), "{key}={value}");
        }
    }

    #[test]
    fn what_no_guest_could_be_given_is_refused_by_name() {
        for (key, value) in [
            ("hw:cpu_policy", "dedicated"),
            ("hw:numa_nodes", "2"),
            ("hw:mem_page_size", "1GB"),
            ("hw:no_such_thing", "1"),
            ("hw_rng:allowed", "false"),
            ("hw_rng:rate_bytes", "100"),
            ("os:secure_boot", "required"),
            ("quota:cpu_shares", "10"),
            ("quota:disk_io_limit", "10"),
            ("quota:vif_inbound_average", "10"),
            ("pci_passthrough:alias", "gpu:1"),
            ("hide_hypervisor_id", "true"),
        ] {
            let error = check_one(key, value).unwrap_err();
            assert!(error.key == key && error.to_string().contains(value), "{error}");
        }
        let two = [("a", "1"), ("hw:numa_nodes", "2"), ("quota:cpu_shares", "1")];
        let two = two.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(check(&BTreeMap::from(two)).unwrap_err().key, "hw:numa_nodes");
    }
}
