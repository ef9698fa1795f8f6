//! What a reconciler has found, in bounded memory.

use std::collections::BTreeMap;

use cuttle_model::clock::Timestamp;

use super::finding::{Finding, Kind};

/// So many findings of each kind are kept.
const KEPT: u64 = 1000;
/// So many foreign images are named.
const NAMED: usize = 100;

/// What is done about what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    DryRun,
    /// Orphans go to the trash.
    TrashOrphans,
}

/// The result.
#[derive(Debug, Clone)]
pub struct Report {
    pub mode: Mode,
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
    pub looked_at: LookedAt,
    /// How many there are of each kind that there is.
    pub counts: BTreeMap<Kind, u64>,
    /// The first of each kind.
    pub findings: Vec<Finding>,
    /// Images that do not name us as their owner.
    pub foreign_count: u64,
    /// The first of them.
    pub foreign: Vec<ForeignImage>,
    /// What could not be looked at, and why.
    pub unchecked: Vec<String>,
}

/// How much there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// RBD images in the pools.
    pub images: u64,
    /// In the trash.
    pub trashed: u64,
    pub instances: u64,
    /// Hosts that said what they have.
    pub hosts: u64,
    pub guests: u64,
}

/// An image that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignImage {
    pub pool: String,
    pub image_id: String,
    pub name: String,
}

impl Report {
    pub(super) fn new(mode: Mode, began_at: Timestamp) -> Self {
        Self {
            mode,
            began_at,
            ended_at: began_at,
            looked_at: LookedAt::default(),
            counts: BTreeMap::new(),
            findings: Vec::new(),
            foreign_count: 0,
            foreign: Vec::new(),
            unchecked: Vec::new(),
        }
    }

    /// Nothing was found, and everything was looked at.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty() && self.unchecked.is_empty()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= KEPT {
            self.findings.push(finding);
        }
    }

    pub(super) fn add_foreign(&mut self, pool: &str, image_id: &str, name: &str) {
        self.foreign_count += 1;
        if self.foreign.len() < NAMED {
            self.foreign.push(ForeignImage { pool: pool.to_owned(), image_id: image_id.to_owned(), name: name.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_so_many_are_kept() {
        let mut report = Report::new(Mode::DryRun, Timestamp::from_micros(0));
        for number in 0..KEPT + 5 {
            report.add(Finding::new(Kind::Orphan, number, None, ""));
        }
        report.add(Finding::new(Kind::IdleTask, "x", None, ""));
        assert_eq!(report.counts[&Kind::Orphan], KEPT + 5);
        assert_eq!(report.findings.len() as u64, KEPT + 1);
        assert!(!report.is_clean());
    }
}
