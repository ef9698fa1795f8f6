//! What the cluster holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cuttle_rbd_backend::{ClientCaps, Metadata, ParentInfo, TrashEntry};

/// Data is kept in blocks of this size; what is not there is zero.
pub(super) const BLOCK: u64 = 64 << 10;

/// librbd's bits for the features that disks are made with.
pub(super) const FEATURES: u64 = 61;

pub(super) type Blocks = BTreeMap<u64, Arc<Vec<u8>>>;

#[derive(Default)]
pub(super) struct State {
    pub(super) pools: BTreeMap<String, PoolState>,
    pub(super) users: BTreeMap<String, (ClientCaps, String)>,
    pub(super) fenced: BTreeSet<String>,
    pub(super) unreachable: bool,
    pub(super) calls: u64,
    last: u64,
}

#[derive(Default)]
pub(super) struct PoolState {
    /// All images by id, those in the trash too.
    pub(super) images: BTreeMap<String, ImageState>,
    /// Those that are not in the trash.
    pub(super) names: BTreeMap<String, String>,
    pub(super) trash: BTreeMap<String, TrashEntry>,
    pub(super) full: bool,
}

#[derive(Default)]
pub(super) struct ImageState {
    pub(super) size_bytes: u64,
    pub(super) parent: Option<Parent>,
    pub(super) metadata: Metadata,
    pub(super) snapshots: Vec<SnapshotState>,
    pub(super) blocks: Blocks,
    pub(super) watchers: BTreeMap<u64, WatcherState>,
}

#[derive(Clone)]
pub(super) struct Parent {
    pub(super) info: ParentInfo,
    pub(super) snapshot_id: u64,
}

pub(super) struct SnapshotState {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) size_bytes: u64,
    pub(super) protected: bool,
    /// False: its user removed it, and clones keep it.
    pub(super) of_user: bool,
    pub(super) blocks: Blocks,
}

pub(super) struct WatcherState {
    pub(super) address: String,
    pub(super) client_id: u64,
}

impl State {
    /// A number that was never used before.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether any image is a clone of this snapshot.
    pub(super) fn has_clones(&self, image_id: &str, snapshot_id: u64) -> bool {
        let images = self.pools.values().flat_map(|pool| pool.images.values());
        images
            .filter_map(|image| image.parent.as_ref())
            .any(|parent| parent.info.image_id == image_id && parent.snapshot_id == snapshot_id)
    }
}

impl ImageState {
    pub(super) fn stored_bytes(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK
    }

    pub(super) fn snapshot(&self, name: &str) -> Option<&SnapshotState> {
        self.snapshots.iter().find(|snapshot| snapshot.of_user && snapshot.name == name)
    }

    /// Overwrites bytes; what becomes all zero is not kept.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let (number, inside) = (at / BLOCK, (at % BLOCK) as usize);
            let length = (BLOCK as usize - inside).min(data.len() - done);
            let block = self.blocks.entry(number).or_insert_with(|| Arc::new(vec![0; BLOCK as usize]));
            let block_data = Arc::make_mut(block);
            block_data[inside..inside + length].copy_from_slice(&data[done..done + length]);
            if block_data.iter().all(|byte| *byte == 0) {
                self.blocks.remove(&number);
            }
            done += length;
        }
    }

    pub(super) fn truncate(&mut self, size_bytes: u64) {
        if size_bytes < self.size_bytes {
            let cut = (BLOCK - size_bytes % BLOCK) % BLOCK;
            self.write(size_bytes, &vec![0; usize::try_from(cut).unwrap()]);
            self.blocks.retain(|number, _| number * BLOCK < size_bytes);
        }
        self.size_bytes = size_bytes;
    }
}

pub(super) fn read(blocks: &Blocks, offset: u64, length: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(length);
    while data.len() < length {
        let at = offset + data.len() as u64;
        let inside = (at % BLOCK) as usize;
        let part = (BLOCK as usize - inside).min(length - data.len());
        match blocks.get(&(at / BLOCK)) {
            Some(block) => data.extend_from_slice(&block[inside..inside + part]),
            None => data.resize(data.len() + part, 0),
        }
    }
    data
}
