//! CRUSH as far as placement needs it: where OSDs and hosts stand, and which OSDs serve what.
//!
//! Plain data. What it means for a host is worked out by the scheduler.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names in CRUSH, and so the ends of a line of a location, are no longer than this.
const LONGEST_NAME: usize = 128;
/// More levels than any tree has.
const MOST_LEVELS: usize = 16;

/// Where something stands, as `crush_location` in a ceph.conf says it: `root=default rack=rack1 host=host1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CrushLocation(Vec<(String, String)>);

/// The text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a CRUSH location has words like rack=rack1, of letters, digits, dots, dashes and underscores, and one at the least")]
pub struct BadCrushLocation;

impl CrushLocation {
    /// A location of types and names; `None` if one of them cannot be written, or there is none.
    pub fn new(pairs: Vec<(String, String)>) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let word = |text: &String| !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(plain);
        let good = pairs.iter().all(|(level, name)| word(level) && word(name));
        (good && (1..=MOST_LEVELS).contains(&pairs.len())).then_some(Self(pairs))
    }

    /// Types and names, in the order in which they were given.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

impl FromStr for CrushLocation {
    type Err = BadCrushLocation;

    fn from_str(text: &str) -> Result<Self, BadCrushLocation> {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).filter(|word| !word.is_empty());
        let pair = |word: &str| word.split_once('=').map(|(level, name)| (level.to_owned(), name.to_owned()));
        words.map(pair).collect::<Option<Vec<_>>>().and_then(Self::new).ok_or(BadCrushLocation)
    }
}

impl fmt::Display for CrushLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (level, name)) in self.0.iter().enumerate() {
            write!(f, "{}{level}={name}", if number == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl Serialize for CrushLocation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CrushLocation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The buckets of a CRUSH map, with those of device classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrushMap {
    /// The types, by number: `host` is 1 and `root` is 11 in Ceph's own map. The greater, the wider.
    pub levels: Vec<(u32, String)>,
    pub buckets: Vec<CrushBucket>,
}

/// A bucket. Those of one device class (shadows) have names with a `~`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrushBucket {
    /// Negative; OSDs have the other numbers.
    pub id: i64,
    pub name: String,
    pub level: u32,
    /// Buckets and OSDs.
    pub items: Vec<i64>,
}

/// A placement group, and who serves it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgServers {
    pub pool_id: i64,
    /// The OSDs that have it; holes are left out.
    pub acting: Vec<i64>,
    /// `None`: nobody serves it.
    pub primary: Option<i64>,
}

/// How a pool keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redundancy {
    Replicas,
    /// Each OSD has a part: all is read through the primary.
    Erasure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_and_written_as_ceph_does() {
        let location: CrushLocation = " root=default  rack=rack1,host=host-1.x ".parse().unwrap();
        assert_eq!(location.to_string(), "root=default rack=rack1 host=host-1.x");
        assert_eq!(serde_json::from_str::<CrushLocation>("\"rack=r\"").unwrap().pairs(), [("rack".into(), "r".into())]);
        let many = vec!["a=b"; 17].join(" ");
        for bad in ["", "rack", "rack=", "=r", "rack=a\\nb=c d", "rack=r [global]", "rack=a=b", &many] {
            assert_eq!(bad.parse::<CrushLocation>(), Err(BadCrushLocation), "{bad}");
        }
    }
}
