//! Classes of hosts: what hosts have in common that is text, so that filters which compare texts do it
//! once for all hosts of a class.

use std::collections::{BTreeMap, BTreeSet};

use cuttle_model::aggregate::{Aggregate, ZONE_KEY};
use cuttle_model::host::{HostResources, VirtType};

use crate::settings::Settings;

/// What the hosts of one class have in common.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub zone: String,
    /// The aggregates' metadata: for each key all values, commas taken apart.
    pub metadata: BTreeMap<String, BTreeSet<String>>,
    pub platform: Option<Platform>,
    pub cpu_ratio: Option<f64>,
    pub ram_ratio: Option<f64>,
    pub max_io_ops: u32,
    pub max_instances: u32,
}

/// The machine and what runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Platform {
    pub architecture: String,
    pub virt_type: VirtTypeKey,
    pub libvirt_version: String,
    pub hypervisor_version: String,
}

/// [`VirtType`], as it is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum VirtTypeKey {
    Kvm,
    Qemu,
}

impl Platform {
    pub(crate) fn of(resources: &HostResources) -> Self {
        Self {
            architecture: resources.architecture.clone(),
            virt_type: match resources.virt_type {
                VirtType::Kvm => VirtTypeKey::Kvm,
                VirtType::Qemu => VirtTypeKey::Qemu,
            },
            libvirt_version: resources.libvirt_version.clone(),
            hypervisor_version: resources.hypervisor_version.clone(),
        }
    }

    /// Nova's word for the hypervisor: `QEMU`, whether or not the hardware helps.
    pub(crate) fn hypervisor_types(&self) -> &'static [&'static str] {
        match self.virt_type {
            VirtTypeKey::Kvm => &["QEMU", "KVM"],
            VirtTypeKey::Qemu => &["QEMU"],
        }
    }
}

impl Class {
    /// The class of hosts on `platform` that are in these aggregates.
    pub(crate) fn new(aggregates: &[&Aggregate], platform: Option<Platform>, settings: &Settings) -> Self {
        let mut metadata: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key, value) in aggregates.iter().flat_map(|aggregate| &aggregate.metadata) {
            metadata.entry(key.clone()).or_default().extend(value.split(',').map(|part| part.trim().to_owned()));
        }
        let zone = aggregates.iter().find_map(|aggregate| aggregate.metadata.get(ZONE_KEY));
        let ratio = |key: &str| least(&metadata, key).filter(|ratio: &f64| (0.01..=1000.0).contains(ratio));
        Self {
            zone: zone.unwrap_or(&settings.default_availability_zone).clone(),
            cpu_ratio: ratio("cpu_allocation_ratio").or(settings.cpu_ratio()),
            ram_ratio: ratio("ram_allocation_ratio").or(settings.ram_ratio()),
            max_io_ops: least(&metadata, "max_io_ops_per_host").unwrap_or(settings.max_io_ops_per_host),
            max_instances: least(&metadata, "max_instances_per_host").unwrap_or(settings.max_instances_per_host),
            metadata,
            platform,
        }
    }

    /// Virtual CPUs that may be claimed of such a host.
    pub(crate) fn vcpu_limit(&self, resources: &HostResources) -> u64 {
        match self.cpu_ratio {
            Some(ratio) => scaled(u64::from(resources.vcpus), ratio),
            None => resources.vcpu_limit(),
        }
    }

    /// Memory that may be claimed of such a host, in MiB.
    pub(crate) fn ram_limit_mib(&self, resources: &HostResources) -> u64 {
        match self.ram_ratio {
            Some(ratio) => scaled(resources.ram_mib.saturating_sub(resources.reserved_ram_mib), ratio),
            None => resources.ram_limit_mib(),
        }
    }
}

/// Of several aggregates the strictest counts, as with Nova. What is no number counts for nothing.
fn least<T: std::str::FromStr + PartialOrd>(metadata: &BTreeMap<String, BTreeSet<String>>, key: &str) -> Option<T> {
    let numbers = metadata.get(key)?.iter().filter_map(|text| text.parse().ok());
    numbers.reduce(|least, number| if number < least { number } else { least })
}

/// In thousandths, as hosts have them, so that the same ratio gives the same limit.
fn scaled(amount: u64, ratio: f64) -> u64 {
    amount.saturating_mul((ratio * 1000.0).round() as u64) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_hosts::{aggregate, host};

    #[test]
    fn the_strictest_aggregate_counts_and_nonsense_does_not() {
        let (one, two) =
            (aggregate("a", &[("cpu_allocation_ratio", "4.0")]), aggregate("b", &[("cpu_allocation_ratio", "2, x")]));
        let class = Class::new(&[&one, &two], None, &Settings::default());
        let host = host("h", 1000);
        assert_eq!(class.vcpu_limit(host.resources.as_ref().unwrap()), 16);
        assert_eq!(class.ram_limit_mib(host.resources.as_ref().unwrap()), 1000, "the host's own ratio");
        let bad = aggregate("c", &[("cpu_allocation_ratio", "-1")]);
        assert_eq!(Class::new(&[&bad], None, &Settings::default()).cpu_ratio, None);
    }
}
