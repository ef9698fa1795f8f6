//! The configuration of placement, with Nova's names.

use serde::Deserialize;

use crate::filters::Filter;
use crate::weighers::Weigher;

/// How hosts are chosen. Every key has a default, and an unknown one is refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub driver: Driver,
    /// How old the view of the hosts may be that the caching driver chooses from.
    pub cache_age_ms: u64,
    /// The filters beside those that always run: see [`Filter::is_always_on`].
    pub enabled_filters: Vec<Filter>,
    pub ram_weight_multiplier: f64,
    pub cpu_weight_multiplier: f64,
    pub disk_weight_multiplier: f64,
    pub io_ops_weight_multiplier: f64,
    pub num_instances_weight_multiplier: f64,
    pub build_failure_weight_multiplier: f64,
    pub soft_affinity_weight_multiplier: f64,
    pub soft_anti_affinity_weight_multiplier: f64,
    pub storage_locality_weight_multiplier: f64,
    pub storage_health_weight_multiplier: f64,
    /// IoOpsFilter: a host with so many instances being built, moved or otherwise worked on takes no more.
    pub max_io_ops_per_host: u32,
    /// NumInstancesFilter: a host takes no more instances than this.
    pub max_instances_per_host: u32,
    /// How many hosts are tried for the first guest of an instance, one after the other.
    pub max_attempts: u32,
    /// One of so many of the best hosts is taken; 1 always takes the best.
    pub host_subset_size: usize,
    /// The zone of hosts that are in no aggregate with one.
    pub default_availability_zone: String,
    /// The zone of instances for which none was asked; without it, any.
    pub default_schedule_zone: Option<String>,
    /// What may be claimed of all hosts, unless an aggregate says otherwise.
    pub overcommit: Overcommit,
    /// Virtual CPUs that may be claimed per CPU thread; wins over the preset.
    pub cpu_allocation_ratio: Option<f64>,
    /// Memory that may be claimed per memory; wins over the preset.
    pub ram_allocation_ratio: Option<f64>,
    /// Bytes of disk that may be promised per byte that the pool can still take.
    pub disk_allocation_ratio: f64,
}

/// The way to choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// Filters and weighers over the hosts as they are now.
    #[default]
    Filter,
    /// Filters over the hosts as they are now, then any of those that are left.
    Chance,
    /// Filters and weighers over the hosts as they were a moment ago. A refusal is always looked at
    /// again, and a claim is always checked.
    Caching,
}

/// Presets of how much may be claimed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overcommit {
    /// What each host's own configuration says.
    #[default]
    Hosts,
    /// What is there: 1 virtual CPU per thread, memory once.
    None,
    /// Nova's ratios of old: 16 virtual CPUs per thread, memory one and a half times.
    Classic,
}

impl Overcommit {
    /// CPU and memory ratio, where it has them.
    fn ratios(self) -> Option<(f64, f64)> {
        match self {
            Self::Hosts => None,
            Self::None => Some((1.0, 1.0)),
            Self::Classic => Some((16.0, 1.5)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            driver: Driver::Filter,
            cache_age_ms: 1000,
            enabled_filters: Filter::DEFAULT.to_vec(),
            ram_weight_multiplier: 1.0,
            cpu_weight_multiplier: 1.0,
            disk_weight_multiplier: 1.0,
            io_ops_weight_multiplier: -1.0,
            num_instances_weight_multiplier: 0.0,
            build_failure_weight_multiplier: 1_000_000.0,
            soft_affinity_weight_multiplier: 1.0,
            soft_anti_affinity_weight_multiplier: 1.0,
            storage_locality_weight_multiplier: 1.0,
            storage_health_weight_multiplier: 10.0,
            max_io_ops_per_host: 8,
            max_instances_per_host: 50,
            max_attempts: 3,
            host_subset_size: 1,
            default_availability_zone: "nova".to_owned(),
            default_schedule_zone: None,
            overcommit: Overcommit::Hosts,
            cpu_allocation_ratio: None,
            ram_allocation_ratio: None,
            disk_allocation_ratio: 1.0,
        }
    }
}

impl Settings {
    /// How much a weigher's say counts; 0 leaves it out.
    pub fn multiplier(&self, weigher: Weigher) -> f64 {
        match weigher {
            Weigher::Ram => self.ram_weight_multiplier,
            Weigher::Cpu => self.cpu_weight_multiplier,
            Weigher::Disk => self.disk_weight_multiplier,
            Weigher::IoOps => self.io_ops_weight_multiplier,
            Weigher::NumInstances => self.num_instances_weight_multiplier,
            Weigher::BuildFailure => self.build_failure_weight_multiplier,
            Weigher::SoftAffinity => self.soft_affinity_weight_multiplier,
            Weigher::SoftAntiAffinity => self.soft_anti_affinity_weight_multiplier,
            Weigher::StorageLocality => self.storage_locality_weight_multiplier,
            Weigher::StorageHealth => self.storage_health_weight_multiplier,
        }
    }

    /// The ratio of virtual CPUs that holds for hosts of no aggregate with one; `None`: the host's own.
    pub(crate) fn cpu_ratio(&self) -> Option<f64> {
        self.cpu_allocation_ratio.or(self.overcommit.ratios().map(|(cpu, _)| cpu))
    }

    /// As [`Settings::cpu_ratio`], of memory.
    pub(crate) fn ram_ratio(&self) -> Option<f64> {
        self.ram_allocation_ratio.or(self.overcommit.ratios().map(|(_, ram)| ram))
    }

    /// What is wrong with it, if anything: the key, and why.
    pub fn problem(&self) -> Option<String> {
        for weigher in Weigher::ALL {
            let multiplier = self.multiplier(weigher);
            if !multiplier.is_finite() {
                return Some(format!("the multiplier of {} is {multiplier}; it has to be a number", weigher.name()));
            }
        }
        let ratios = [
            ("cpu_allocation_ratio", self.cpu_allocation_ratio),
            ("ram_allocation_ratio", self.ram_allocation_ratio),
            ("disk_allocation_ratio", Some(self.disk_allocation_ratio)),
        ];
        let bad = |ratio: f64| !(0.01..=1000.0).contains(&ratio);
        ratios.into_iter().find_map(|(key, ratio)| {
            ratio.filter(|ratio| bad(*ratio)).map(|ratio| format!("`{key}` is {ratio}; it can be 0.01 to 1000"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_overruled_by_ratios() {
        let classic = Settings { overcommit: Overcommit::Classic, ..Settings::default() };
        assert_eq!((classic.cpu_ratio(), classic.ram_ratio()), (Some(16.0), Some(1.5)));
        let mixed = Settings { cpu_allocation_ratio: Some(4.0), ..classic };
        assert_eq!((mixed.cpu_ratio(), mixed.ram_ratio()), (Some(4.0), Some(1.5)));
        assert_eq!(Settings::default().cpu_ratio(), None);
    }

    #[test]
    fn bad_numbers_are_named() {
        assert_eq!(Settings::default().problem(), None);
        let zero = Settings { ram_allocation_ratio: Some(0.0), ..Settings::default() };
        assert!(zero.problem().unwrap().contains("ram_allocation_ratio"));
        let odd = Settings { cpu_weight_multiplier: f64::NAN, ..Settings::default() };
        assert!(odd.problem().unwrap().contains("CPUWeigher"));
    }
}
