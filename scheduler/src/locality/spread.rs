//! How a pool's PGs are spread: of each bucket, how many of them are served from within it.
//!
//! Counted once for each PG and each bucket around its OSDs, so that a host asks for the few buckets
//! around itself and never for PGs.

use std::collections::{BTreeSet, HashMap};

use cuttle_model::crush::{PgServers, Redundancy};

use super::tree::{Path, Tree};

/// The spread of one pool.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    pgs: u32,
    /// PGs whose primary is in the bucket.
    primaries: HashMap<i64, u32>,
    /// PGs with any replica in the bucket; as the primaries where only these are read from.
    replicas: HashMap<i64, u32>,
}

/// Mean of a host's nearness over a pool's PGs, and its variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mean {
    pub mean: f64,
    pub variance: f64,
}

impl Spread {
    /// Of these PGs, all of one pool. Those that nobody serves now count for nothing.
    pub fn new<'a>(tree: &Tree, redundancy: Redundancy, pgs: impl IntoIterator<Item = &'a PgServers>) -> Self {
        let mut paths: HashMap<i64, Path> = HashMap::new();
        let mut spread = Self::default();
        let mut within = BTreeSet::new();
        for pg in pgs {
            let Some(primary) = pg.primary else { continue };
            spread.pgs += 1;
            let path = paths.entry(primary).or_insert_with(|| tree.around(primary));
            for (_, bucket) in path.buckets() {
                *spread.primaries.entry(*bucket).or_default() += 1;
            }
            if redundancy == Redundancy::Replicas {
                within.clear();
                for osd in pg.acting.iter().chain([&primary]) {
                    let path = paths.entry(*osd).or_insert_with(|| tree.around(*osd));
                    within.extend(path.buckets().iter().map(|(_, bucket)| *bucket));
                }
                for bucket in &within {
                    *spread.replicas.entry(*bucket).or_default() += 1;
                }
            }
        }
        if redundancy == Redundancy::Erasure {
            spread.replicas = spread.primaries.clone();
        }
        spread
    }

    /// How many PGs are served.
    pub(crate) fn pgs(&self) -> u32 {
        self.pgs
    }

    pub(crate) fn to_primaries(&self, tree: &Tree, from: &Path) -> Mean {
        self.mean(&self.primaries, tree, from)
    }

    pub(crate) fn to_nearest(&self, tree: &Tree, from: &Path) -> Mean {
        self.mean(&self.replicas, tree, from)
    }

    /// Over the distances: so many PGs have their OSD within the nearest bucket, so many more within the next.
    fn mean(&self, within: &HashMap<i64, u32>, tree: &Tree, from: &Path) -> Mean {
        let all = f64::from(self.pgs.max(1));
        let (mut reached, mut sum, mut squares) = (0, 0.0, 0.0);
        for level in from.buckets().chunk_by(|one, other| one.0 == other.0) {
            let here = level.iter().filter_map(|(_, bucket)| within.get(bucket)).sum::<u32>().clamp(reached, self.pgs);
            let near = nearness(level[0].0, tree.levels());
            sum += f64::from(here - reached) * near;
            squares += f64::from(here - reached) * near * near;
            reached = here;
        }
        let mean = sum / all;
        Mean { mean, variance: (squares / all - mean * mean).max(0.0) }
    }
}

/// Of a common bucket at that level: 1 at the nearest.
fn nearness(level: usize, levels: usize) -> f64 {
    1.0 - level as f64 / levels.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::map;
    use super::*;

    fn pg(acting: &[i64]) -> PgServers {
        PgServers { pool_id: 1, acting: acting.to_vec(), primary: acting.first().copied() }
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn distance_is_the_level_of_the_nearest_common_bucket() {
        let tree = Tree::new(&map(&[2, 1], 1));
        let from = tree.find("host1", None).unwrap();
        for (osd, near) in [(10, 1.0), (20, 2.0 / 3.0), (30, 1.0 / 3.0), (99, 0.0)] {
            let spread = Spread::new(&tree, Redundancy::Replicas, &[pg(&[osd])]);
            assert!(close(spread.to_primaries(&tree, &from).mean, near), "osd.{osd}");
        }
    }

    #[test]
    fn writes_go_to_the_primary_and_localized_reads_to_the_nearest() {
        let tree = Tree::new(&map(&[1, 1, 1], 1));
        let from = tree.find("host2", None).unwrap();
        let pgs = [pg(&[10, 20, 30]), pg(&[30, 20, 10])];
        let spread = Spread::new(&tree, Redundancy::Replicas, &pgs);
        assert!(close(spread.to_primaries(&tree, &from).mean, 1.0 / 3.0));
        assert_eq!(spread.to_nearest(&tree, &from), Mean { mean: 1.0, variance: 0.0 });
    }

    #[test]
    fn erasure_coded_pools_are_read_through_the_primary() {
        let tree = Tree::new(&map(&[1, 1, 1], 1));
        let from = tree.find("host2", None).unwrap();
        let spread = Spread::new(&tree, Redundancy::Erasure, &[pg(&[10, 20, 30])]);
        assert!(close(spread.to_nearest(&tree, &from).mean, 1.0 / 3.0));
    }

    #[test]
    fn what_nobody_serves_counts_for_nothing() {
        let tree = Tree::new(&map(&[1], 1));
        let lost = PgServers { pool_id: 1, acting: Vec::new(), primary: None };
        let spread = Spread::new(&tree, Redundancy::Replicas, &[lost.clone(), pg(&[10])]);
        assert_eq!(spread.pgs(), 1);
        assert_eq!(Spread::new(&tree, Redundancy::Replicas, &[lost]).pgs(), 0);
    }

    /// A second, plain reading of what the mean is, PG by PG.
    #[test]
    fn counting_by_buckets_says_what_asking_each_pg_says() {
        let tree = Tree::new(&map(&[3, 2, 4], 3));
        let osds: Vec<i64> = (1..=9).flat_map(|host| (0..3).map(move |osd| 10 * host + osd)).collect();
        let mut seed = 7u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            osds[(seed >> 33) as usize % osds.len()]
        };
        let pgs: Vec<PgServers> = (0..200).map(|_| pg(&[next(), next(), next()])).collect();
        let spread = Spread::new(&tree, Redundancy::Replicas, &pgs);
        for host in 1..=9 {
            let from = tree.find(&format!("host{host}"), None).unwrap();
            let near = |osd: i64| {
                let around = tree.around(osd);
                let common = from.buckets().iter().find(|bucket| around.buckets().contains(bucket));
                common.map_or(0.0, |(level, _)| nearness(*level, 3))
            };
            let mean = |of: &dyn Fn(&PgServers) -> f64| pgs.iter().map(of).sum::<f64>() / 200.0;
            let primary = mean(&|pg| near(pg.primary.unwrap()));
            let nearest = mean(&|pg| pg.acting.iter().map(|osd| near(*osd)).fold(0.0, f64::max));
            assert!(close(spread.to_primaries(&tree, &from).mean, primary), "host{host}");
            assert!(close(spread.to_nearest(&tree, &from).mean, nearest), "host{host}");
        }
    }
}
