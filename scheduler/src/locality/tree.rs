//! The CRUSH tree, upside down: from an OSD or a host to all buckets around it.

use std::collections::{BTreeSet, HashMap};

use cuttle_model::crush::{CrushLocation, CrushMap};

/// What CRUSH calls the type of a compute or storage node.
const HOST: &str = "host";

/// The buckets of all device classes. Those of one class are copies with other numbers: what is in a
/// copy is also in the original.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    buckets: HashMap<i64, Bucket>,
    /// Of each OSD and bucket the buckets that have it.
    parents: HashMap<i64, Vec<i64>>,
    by_name: HashMap<String, i64>,
    levels: usize,
}

#[derive(Debug, Clone)]
struct Bucket {
    name: String,
    level_name: String,
    /// Counted from 0 among the levels that the tree has.
    rank: usize,
}

/// All buckets around something, the nearest first, with their levels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<(usize, i64)>);

impl Path {
    /// Level and number of each bucket.
    pub(crate) fn buckets(&self) -> &[(usize, i64)] {
        &self.0
    }
}

impl Tree {
    pub fn new(map: &CrushMap) -> Self {
        let is_shadow = |name: &str| name.contains('~');
        let originals = || map.buckets.iter().filter(|bucket| !is_shadow(&bucket.name));
        let used: BTreeSet<u32> = originals().map(|bucket| bucket.level).collect();
        let rank: HashMap<u32, usize> = used.iter().enumerate().map(|(rank, level)| (*level, rank)).collect();
        let names: HashMap<u32, &str> = map.levels.iter().map(|(level, name)| (*level, name.as_str())).collect();
        let mut tree = Self { levels: used.len(), ..Self::default() };
        for bucket in originals() {
            for item in &bucket.items {
                tree.parents.entry(*item).or_default().push(bucket.id);
            }
            tree.by_name.insert(bucket.name.clone(), bucket.id);
            let level_name = names.get(&bucket.level).copied().unwrap_or_default().to_owned();
            tree.buckets.insert(bucket.id, Bucket { name: bucket.name.clone(), level_name, rank: rank[&bucket.level] });
        }
        tree
    }

    /// How many levels of buckets there are.
    pub(crate) fn levels(&self) -> usize {
        self.levels
    }

    /// The buckets around an OSD.
    pub(crate) fn around(&self, osd: i64) -> Path {
        self.path(self.parents.get(&osd).into_iter().flatten().copied())
    }

    /// The buckets around a host, if it stands anywhere in the tree: where it says, else where a host of its
    /// name does. Of what it says the nearest bucket that there is counts; what is around that, the tree knows.
    pub fn find(&self, host: &str, said: Option<&CrushLocation>) -> Option<Path> {
        let known = |name: &str, level: &str| {
            let id = self.by_name.get(name)?;
            self.buckets.get(id).filter(|bucket| bucket.level_name == level).map(|bucket| (bucket.rank, *id))
        };
        let nearest = match said {
            Some(said) => said.pairs().iter().filter_map(|(level, name)| known(name, level)).min()?,
            None => known(host, HOST)?,
        };
        Some(self.path(std::iter::once(nearest.1)))
    }

    /// The path as a ceph.conf's `crush_location` says it, the widest bucket first.
    pub fn location(&self, path: &Path) -> Option<CrushLocation> {
        let around = path.0.iter().rev().filter_map(|(_, id)| self.buckets.get(id));
        CrushLocation::new(around.map(|bucket| (bucket.level_name.clone(), bucket.name.clone())).collect())
    }

    /// These buckets and all around them. A bucket is taken once, so that a map which is no tree ends too.
    fn path(&self, from: impl Iterator<Item = i64>) -> Path {
        let mut open: Vec<i64> = from.collect();
        let mut found = BTreeSet::new();
        while let Some(id) = open.pop() {
            let Some(bucket) = self.buckets.get(&id) else { continue };
            if found.insert((bucket.rank, id)) {
                open.extend(self.parents.get(&id).into_iter().flatten());
            }
        }
        Path(found.into_iter().collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use cuttle_model::crush::CrushBucket;

    use super::*;

    /// Racks of hosts of OSDs, in one root, with a copy for the device class `ssd` that has the first host's OSDs only.
    /// OSD `10 h + o` is the `o`th of host `h`, and hosts are counted through all racks.
    pub(crate) fn map(hosts_in_racks: &[usize], osds_in_host: i64) -> CrushMap {
        let mut map = CrushMap {
            levels: [(0, "osd"), (1, "host"), (3, "rack"), (4, "row"), (11, "root")].map(|(id, name)| (id, name.into())).to_vec(),
            buckets: Vec::new(),
        };
        let bucket = |id, name: String, level, items| CrushBucket { id, name, level, items };
        let (mut racks, mut host) = (Vec::new(), 0);
        for (rack, hosts) in (1..).zip(hosts_in_racks) {
            let mut items = Vec::new();
            for _ in 0..*hosts {
                host += 1;
                let osds = (0..osds_in_host).map(|osd| 10 * host + osd).collect();
                map.buckets.push(bucket(-100 - host, format!("host{host}"), 1, osds));
                items.push(-100 - host);
            }
            map.buckets.push(bucket(-10 - rack, format!("rack{rack}"), 3, items));
            racks.push(-10 - rack);
        }
        map.buckets.push(bucket(-1, "default".into(), 11, racks));
        let first = (0..osds_in_host).map(|osd| 10 + osd).collect();
        map.buckets.push(bucket(-500, "host1~ssd".into(), 1, first));
        map.buckets.push(bucket(-501, "default~ssd".into(), 11, vec![-500]));
        map
    }

    #[test]
    fn a_host_stands_where_it_says_or_where_its_name_is() {
        let tree = Tree::new(&map(&[1, 2], 1));
        let said = |text: &str| text.parse::<CrushLocation>().ok();
        let find = |host: &str, text: &str| {
            let path = tree.find(host, said(text).as_ref())?;
            tree.location(&path).map(|location| location.to_string())
        };
        assert_eq!(find("host3", "").as_deref(), Some("root=default rack=rack2 host=host3"));
        assert_eq!(find("other", "rack=rack1").as_deref(), Some("root=default rack=rack1"));
        assert_eq!(find("host3", "rack=rack1").as_deref(), Some("root=default rack=rack1"), "what it says counts");
        assert_eq!(find("other", "root=default rack=rack2 host=other").as_deref(), Some("root=default rack=rack2"));
        assert_eq!(find("other", ""), None);
        assert_eq!(find("other", "rack=rack9"), None);
        assert_eq!(find("rack1", ""), None, "a rack is no host");
        assert_eq!(find("other", "host=rack1"), None, "nor the other way round");
    }

    #[test]
    fn copies_for_device_classes_are_no_places() {
        let tree = Tree::new(&map(&[1, 1], 2));
        assert_eq!(tree.levels(), 3, "host, rack and root; no row");
        assert_eq!(tree.around(11).buckets(), [(0, -101), (1, -11), (2, -1)]);
        assert_eq!(tree.find("host1~ssd", None), None);
        assert_eq!(tree.around(99), Path::default());
    }

    #[test]
    fn a_map_that_bites_its_tail_ends() {
        let mut map = map(&[1], 1);
        map.buckets.push(CrushBucket { id: -700, name: "loop".into(), level: 4, items: vec![-1, -700] });
        map.buckets[2].items.push(-700);
        assert_eq!(Tree::new(&map).around(10).buckets().len(), 4);
    }
}
