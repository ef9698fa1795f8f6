//! How fast a guest may use each of its disks, as its flavor's extra specs say.
//!
//! The keys are Nova's: `quota:disk_<read|write|total>_<bytes|iops>_sec`, each with `_max` for bursts, and
//! `quota:disk_size_iops_sec`, the size from which one request counts as several. What QEMU would refuse
//! when the guest starts is refused here, naming the key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What every key begins with.
const PREFIX: &str = "quota:disk_";

/// The limits of a disk; those that were not given are absent. The keys are libvirt's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiskLimits(BTreeMap<String, u64>);

/// An extra spec that cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("extra spec {key}: {why}")]
pub struct LimitError {
    pub key: String,
    pub why: String,
}

const DIRECTIONS: [&str; 3] = ["read", "write", "total"];
const UNITS: [&str; 2] = ["bytes", "iops"];
const SIZE: &str = "size_iops_sec";

impl DiskLimits {
    /// Reads the limits among the extra specs; other keys are somebody else's.
    pub fn from_extra_specs(specs: &BTreeMap<String, String>) -> Result<Self, LimitError> {
        let mut limits = BTreeMap::new();
        for (key, value) in specs {
            let Some(name) = key.strip_prefix(PREFIX) else { continue };
            if !is_known(name) {
                return Err(refused(name, "there is no such limit"));
            }
            let number = value.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
            match number {
                None => return Err(refused(name, "a whole number from 0 on is expected")),
                // As if it were not there: no limit.
                Some(0) => {}
                Some(number) => drop(limits.insert(name.to_owned(), number)),
            }
        }
        let limits = Self(limits);
        limits.check()?;
        Ok(limits)
    }

    /// There is no limit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// libvirt's name and the value of each limit, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    fn check(&self) -> Result<(), LimitError> {
        for unit in UNITS {
            for suffix in ["_sec", "_sec_max"] {
                let total = format!("total_{unit}{suffix}");
                let part = ["read", "write"].map(|direction| format!("{direction}_{unit}{suffix}"));
                if self.0.contains_key(&total) && part.iter().any(|name| self.0.contains_key(name)) {
                    return Err(refused(&total, "a total and a limit for reading or writing exclude each other"));
                }
            }
            for direction in DIRECTIONS {
                let (base, burst) = (format!("{direction}_{unit}_sec"), format!("{direction}_{unit}_sec_max"));
                let Some(most) = self.0.get(&burst) else { continue };
                match self.0.get(&base) {
                    None => return Err(refused(&burst, &format!("a burst needs {PREFIX}{base} beside it"))),
                    Some(limit) if most < limit => return Err(refused(&burst, "a burst below the limit itself is none")),
                    Some(_) => {}
                }
            }
        }
        let counts = self.0.keys().any(|name| name.contains("_iops_sec") && name != SIZE);
        match self.0.contains_key(SIZE) && !counts {
            true => Err(refused(SIZE, "it needs a limit of requests per second beside it")),
            false => Ok(()),
        }
    }
}

fn is_known(name: &str) -> bool {
    let base = name.strip_suffix("_max").unwrap_or(name);
    let of_direction = |direction: &&str| UNITS.iter().any(|unit| base == format!("{direction}_{unit}_sec"));
    name == SIZE || DIRECTIONS.iter().any(of_direction)
}

fn refused(name: &str, why: &str) -> LimitError {
    LimitError { key: format!("{PREFIX}{name}"), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(specs: &[(&str, &str)]) -> Result<DiskLimits, LimitError> {
        let specs = specs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        DiskLimits::from_extra_specs(&specs)
    }

    #[test]
    fn limits_are_read_and_other_specs_left_alone() {
        let limits = read(&[
            ("hw:cpu_policy", "shared"),
            ("quota:cpu_shares", "x"),
            ("quota:disk_read_iops_sec", "100"),
            ("quota:disk_read_iops_sec_max", "200"),
            ("quota:disk_write_bytes_sec", "0"),
            ("quota:disk_size_iops_sec", "4096"),
        ]);
        let limits = limits.unwrap();
        let found: Vec<_> = limits.iter().collect();
        assert_eq!(found, [("read_iops_sec", 100), ("read_iops_sec_max", 200), ("size_iops_sec", 4096)]);
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_qemu_would_refuse_is_refused_by_name() {
        let bad: [&[(&str, &str)]; 9] = [
            &[("quota:disk_read_iops_sec", "many")],
            &[("quota:disk_read_iops_sec", "-1")],
            &[("quota:disk_read_iops_sec", "9223372036854775808")],
            &[("quota:disk_erase_bytes_sec", "1")],
            &[("quota:disk_read_bytes_sec_max", "1")],
            &[("quota:disk_read_bytes_sec", "10"), ("quota:disk_read_bytes_sec_max", "9")],
            &[("quota:disk_total_bytes_sec", "10"), ("quota:disk_read_bytes_sec", "9")],
            &[("quota:disk_total_iops_sec", "10"), ("quota:disk_write_iops_sec", "9")],
            &[("quota:disk_size_iops_sec", "4096"), ("quota:disk_read_bytes_sec", "1")],
        ];
        for specs in bad {
            let error = read(specs).unwrap_err();
            assert!(specs.iter().any(|(key, _)| *key == error.key), "{specs:?}: {error}");
        }
    }
}
