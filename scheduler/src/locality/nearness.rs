//! The numbers that decisions look up: of each pool, purpose and host one from 0 to 1.
//!
//! A pool whose hosts differ by no more than the chance explains by which its PGs fell is even: all of
//! its hosts get the same number. Else the host that is near one PG more of eight would take everything
//! from hosts that are its equals.

use std::collections::HashMap;

use cuttle_model::ids::HostId;

use super::spread::{Mean, Spread};
use super::tree::{Path, Tree};

/// A smaller difference between hosts is none.
const LEAST_DIFFERENCE: f64 = 0.05;
/// How many standard errors of the difference between two hosts chance may explain.
const CHANCE: f64 = 3.0;

/// What a pool is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The disk: what is written goes to the primary.
    Disk,
    /// What the disk was cloned from: it is only read.
    Parent,
}

/// A host, and where it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    pub host: HostId,
    /// `None`: not known.
    pub path: Option<Path>,
    /// Whether its guests read from the nearest replica.
    pub localizes: bool,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct Nearness {
    rows: HashMap<HostId, u32>,
    columns: HashMap<String, [Column; 2]>,
}

#[derive(Debug, Clone, Default)]
struct Column {
    /// Of each host in the order of the rows.
    near: Vec<f32>,
    /// Of a host that is not among them.
    neutral: f32,
}

impl Nearness {
    /// Of these pools and hosts. A pool without PGs, or with no host of which it is known where it stands, is left out.
    pub fn new<'a>(tree: &Tree, pools: impl IntoIterator<Item = (&'a str, &'a Spread)>, hosts: &[Standing]) -> Self {
        let rows = (0u32..).zip(hosts).map(|(row, host)| (host.host, row)).collect();
        let columns = pools.into_iter().filter(|(_, spread)| spread.pgs() > 0).filter_map(|(pool, spread)| {
            let disk = column(spread, hosts, |path, _| spread.to_primaries(tree, path))?;
            let parent = column(spread, hosts, |path, localizes| match localizes {
                true => spread.to_nearest(tree, path),
                false => spread.to_primaries(tree, path),
            })?;
            Some((pool.to_owned(), [disk, parent]))
        });
        Self { columns: columns.collect(), rows }
    }

    /// A pool's numbers for these hosts, in their order; `None` where nothing is known of the pool.
    pub(crate) fn of(&self, pool: &str, purpose: Purpose, hosts: &[HostId]) -> Option<Vec<f32>> {
        let column = &self.columns.get(pool)?[purpose as usize];
        let near = |host: &HostId| self.rows.get(host).and_then(|row| column.near.get(*row as usize)).copied();
        Some(hosts.iter().map(|host| near(host).unwrap_or(column.neutral)).collect())
    }

    /// A pool's number for one host.
    pub fn get(&self, pool: &str, purpose: Purpose, host: HostId) -> Option<f32> {
        self.of(pool, purpose, &[host])?.first().copied()
    }
}

fn column(spread: &Spread, hosts: &[Standing], mean_of: impl Fn(&Path, bool) -> Mean) -> Option<Column> {
    // Hosts of one rack stand at the same place: each place is worked out once.
    let mut known: HashMap<(&Path, bool), Mean> = HashMap::new();
    let mut mean = |path, localizes| *known.entry((path, localizes)).or_insert_with(|| mean_of(path, localizes));
    let means: Vec<Option<Mean>> = hosts.iter().map(|host| host.path.as_ref().map(|path| mean(path, host.localizes))).collect();
    let stand = || means.iter().flatten();
    let by_mean = |one: &&Mean, other: &&Mean| one.mean.total_cmp(&other.mean);
    let (least, greatest) = stand().min_by(by_mean).zip(stand().max_by(by_mean))?;
    let neutral = stand().map(|mean| mean.mean).sum::<f64>() / stand().count() as f64;
    let error = ((least.variance + greatest.variance) / f64::from(spread.pgs())).sqrt();
    let is_even = greatest.mean - least.mean <= LEAST_DIFFERENCE.max(CHANCE * error);
    let near = |mean: &Option<Mean>| mean.filter(|_| !is_even).map_or(neutral, |mean| mean.mean) as f32;
    Some(Column { near: means.iter().map(near).collect(), neutral: neutral as f32 })
}

#[cfg(test)]
mod tests {
    use cuttle_model::crush::{PgServers, Redundancy};
    use uuid::Uuid;

    use super::super::tree::tests::map;
    use super::*;

    fn id(number: u128) -> HostId {
        HostId::from_uuid(Uuid::from_u128(number))
    }

    fn pg(acting: &[i64]) -> PgServers {
        PgServers { pool_id: 1, acting: acting.to_vec(), primary: acting.first().copied() }
    }

    /// Three hosts in three racks, one OSD in each; host 4 stands nowhere.
    fn nearness(pgs: &[PgServers], localizes: bool) -> Nearness {
        let tree = Tree::new(&map(&[1, 1, 1], 1));
        let spread = Spread::new(&tree, Redundancy::Replicas, pgs);
        let standing = |number| Standing { host: id(number), path: tree.find(&format!("host{number}"), None), localizes };
        Nearness::new(&tree, [("vms", &spread)], &[1, 2, 3, 4].map(standing))
    }

    fn of(nearness: &Nearness, purpose: Purpose) -> Vec<f32> {
        let near = nearness.of("vms", purpose, &[1, 2, 3, 4, 5].map(id)).unwrap();
        near.into_iter().map(|near| (near * 100.0).round() / 100.0).collect()
    }

    fn spread_over(primaries: &[i64]) -> Vec<PgServers> {
        primaries.iter().map(|primary| pg(&[&[*primary][..], &[10, 20, 30].map(|osd| osd)].concat())).collect()
    }

    #[test]
    fn an_even_pool_is_neutral_though_chance_made_it_a_little_uneven() {
        // Of eight PGs 4, 2 and 2.
        let pgs = spread_over(&[10, 10, 10, 10, 20, 20, 30, 30]);
        assert_eq!(of(&nearness(&pgs, true), Purpose::Disk), [0.56; 5]);
    }

    #[test]
    fn the_same_shares_of_many_pgs_are_no_chance() {
        let many: Vec<i64> = [10, 10, 10, 10, 20, 20, 30, 30].repeat(64);
        assert_eq!(of(&nearness(&spread_over(&many), true), Purpose::Disk), [0.67, 0.5, 0.5, 0.56, 0.56]);
    }

    #[test]
    fn one_racks_primaries_decide_and_localized_reads_do_not_care() {
        let pgs = spread_over(&[20; 8]);
        let localized = nearness(&pgs, true);
        assert_eq!(of(&localized, Purpose::Disk), [0.33, 1.0, 0.33, 0.56, 0.56]);
        assert_eq!(of(&localized, Purpose::Parent), [1.0; 5]);
        assert_eq!(of(&nearness(&pgs, false), Purpose::Parent), [0.33, 1.0, 0.33, 0.56, 0.56]);
    }

    #[test]
    fn of_what_is_not_known_nothing_is_said() {
        assert_eq!(nearness(&[], true).of("vms", Purpose::Disk, &[id(1)]), None);
        assert_eq!(nearness(&spread_over(&[10]), true).get("images", Purpose::Parent, id(1)), None);
        let tree = Tree::new(&map(&[1], 1));
        let spread = Spread::new(&tree, Redundancy::Replicas, &[pg(&[10])]);
        let nowhere = Standing { host: id(1), path: None, localizes: true };
        assert_eq!(Nearness::new(&tree, [("vms", &spread)], &[nowhere]).get("vms", Purpose::Disk, id(1)), None);
    }
}
