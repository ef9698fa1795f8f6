//! qcow2, versions 2 and 3: <https://www.qemu.org/docs/master/interop/qcow2.html>. Read through a table of tables:
//!
//! ```text
//! L1 ── one entry for each L2 table ──► L2 ── one entry for each cluster ──► data, compressed data or zeroes
//! ```
//!
//! Snapshots inside the file are not looked at; the disk is what a guest would see.

use crate::cache::Cache;
use crate::disk::Piece;
use crate::extent::{Codec, Data};
use crate::fields::{be32, be64};
use crate::{Error, Source};

const HEADER_BYTES: usize = 104;
/// QEMU's own limit.
const MAX_L1_BYTES: u64 = 32 << 20;
/// Where the host offset is in an entry of either table.
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const ALL_ZEROES: u64 = 1;
/// Clusters of an image with extended L2 entries have this many subclusters.
const SUBCLUSTERS: u64 = 32;

/// Features without which the file cannot be read: dirty, corrupt, external data file, compression type, extended L2.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

pub(crate) struct Qcow2 {
    cluster_bits: u32,
    l1_at: u64,
    l1_entries: u64,
    codec: Codec,
    extended: bool,
    /// How many L2 tables were found so far: a valid file has room for each once.
    tables_found: u64,
    /// The L1 index that was looked up last, and its L2 table.
    current: Option<(u64, u64)>,
}

impl Qcow2 {
    pub(crate) async fn open<S: Source>(file: &mut Cache<'_, S>) -> Result<(Self, u64), Error> {
        let header = file.read(0, HEADER_BYTES, "the header").await?;
        let version = be32(&header, 4);
        if !matches!(version, 2 | 3) {
            return Err(Error::Unsupported("a version of qcow2 other than 2 and 3"));
        }
        if be64(&header, 8) != 0 {
            return Err(Error::NotAlone("a backing file"));
        }
        if be32(&header, 32) != 0 {
            return Err(Error::Unsupported("encryption"));
        }
        let cluster_bits = be32(&header, 20);
        if !(9..=21).contains(&cluster_bits) {
            return Err(Error::Damaged("its clusters have an impossible size"));
        }
        let features = if version == 3 { be64(&header, 72) } else { 0 };
        check_features(features)?;
        let codec = match features & COMPRESSION {
            0 => Codec::Deflate,
            _ => match file.read(HEADER_BYTES as u64, 1, "the header").await?.first() {
                Some(0) => Codec::Deflate,
                Some(1) => Codec::Zstd,
                _ => return Err(Error::Unsupported("a compression other than zlib and zstd")),
            },
        };
        let opened = Self {
            cluster_bits,
            l1_at: be64(&header, 40),
            l1_entries: u64::from(be32(&header, 36)),
            codec,
            extended: features & EXTENDED_L2 != 0,
            tables_found: 0,
            current: None,
        };
        Ok((opened, be64(&header, 24)))
    }

    /// Is the table of tables large enough for the disk, within bounds, and in the file?
    pub(crate) fn check_size(&self, virtual_bytes: u64, file_bytes: u64) -> Result<(), Error> {
        if self.l1_entries < virtual_bytes.div_ceil(self.l2_covers()) {
            return Err(Error::Damaged("its L1 table is too small for its disk"));
        }
        let l1_bytes = self.l1_entries * 8;
        if l1_bytes > MAX_L1_BYTES {
            return Err(Error::Damaged("its L1 table is absurdly large"));
        }
        if !self.l1_at.is_multiple_of(self.cluster_bytes()) {
            return Err(Error::Damaged("its L1 table is not aligned"));
        }
        match self.l1_at.checked_add(l1_bytes) {
            Some(end) if end <= file_bytes => Ok(()),
            _ => Err(Error::Truncated { what: "the L1 table" }),
        }
    }

    pub(crate) async fn piece<S: Source>(&mut self, file: &mut Cache<'_, S>, offset: u64) -> Result<Piece, Error> {
        let l1_index = offset / self.l2_covers();
        let table = match self.current {
            Some((index, table)) if index == l1_index => table,
            _ => self.l2_table(file, l1_index).await?,
        };
        if table == 0 {
            return Ok(Piece { length: self.l2_covers() - offset % self.l2_covers(), data: None });
        }
        let index = offset / self.cluster_bytes() % self.l2_entries();
        let width = self.entry_bytes();
        let entry = file.read(table + index * width, width as usize, "an L2 table").await?;
        let within = offset % self.cluster_bytes();
        self.cluster(be64(&entry, 0), if self.extended { be64(&entry, 8) } else { 0 }, within, file.size_bytes())
    }

    async fn l2_table<S: Source>(&mut self, file: &mut Cache<'_, S>, index: u64) -> Result<u64, Error> {
        let entry = file.read(self.l1_at + index * 8, 8, "the L1 table").await?;
        let table = be64(&entry, 0) & OFFSET_MASK;
        if table != 0 {
            if !table.is_multiple_of(self.cluster_bytes()) {
                return Err(Error::Damaged("an L2 table is not aligned"));
            }
            self.tables_found += 1;
            if self.tables_found.saturating_mul(self.cluster_bytes()) > file.size_bytes() {
                return Err(Error::Damaged("L2 tables share their place in the file"));
            }
        }
        self.current = Some((index, table));
        Ok(table)
    }

    /// What an entry of an L2 table says of its cluster, from `within` on.
    fn cluster(&self, entry: u64, subclusters: u64, within: u64, file_bytes: u64) -> Result<Piece, Error> {
        let rest = self.cluster_bytes() - within;
        if entry & COMPRESSED != 0 {
            return Ok(Piece { length: rest, data: Some(self.compressed(entry, file_bytes)?) });
        }
        let host = entry & OFFSET_MASK;
        if !host.is_multiple_of(self.cluster_bytes()) {
            return Err(Error::Damaged("a cluster is not aligned"));
        }
        let stored = Data::Stored { at: host.saturating_add(within) };
        if !self.extended {
            let zeroes = host == 0 || entry & ALL_ZEROES != 0;
            return Ok(Piece { length: rest, data: (!zeroes).then_some(stored) });
        }
        let size = self.cluster_bytes() / SUBCLUSTERS;
        let index = within / size;
        let (allocated, zeroes) = (subclusters >> index & 1 == 1, subclusters >> (index + SUBCLUSTERS) & 1 == 1);
        let data = (allocated && !zeroes && host != 0).then_some(stored);
        Ok(Piece { length: size - within % size, data })
    }

    /// Such an entry names a byte, and how many further sectors the data may reach into.
    fn compressed(&self, entry: u64, file_bytes: u64) -> Result<Data, Error> {
        let bits = 62 - (self.cluster_bits - 8);
        let at = entry & ((1 << bits) - 1);
        let sectors = (entry & !COMPRESSED & !(1 << 63)) >> bits;
        let length = (sectors + 1) * 512 - at % 512;
        // The last sector need not be whole.
        let length = length.min(file_bytes.saturating_sub(at));
        match u32::try_from(length) {
            Ok(length) if length > 0 => Ok(Data::Compressed { at, length, codec: self.codec }),
            _ => Err(Error::Truncated { what: "a compressed cluster" }),
        }
    }

    fn cluster_bytes(&self) -> u64 {
        1 << self.cluster_bits
    }

    fn entry_bytes(&self) -> u64 {
        if self.extended { 16 } else { 8 }
    }

    fn l2_entries(&self) -> u64 {
        self.cluster_bytes() / self.entry_bytes()
    }

    /// How much of the disk one L2 table speaks of.
    fn l2_covers(&self) -> u64 {
        self.l2_entries() * self.cluster_bytes()
    }
}

fn check_features(features: u64) -> Result<(), Error> {
    if features & EXTERNAL_DATA != 0 {
        return Err(Error::NotAlone("an external data file"));
    }
    if features & CORRUPT != 0 {
        return Err(Error::Damaged("it is marked as corrupt"));
    }
    // Dirty says that reference counts may be off, which reading does not need.
    match features & !(DIRTY | COMPRESSION | EXTENDED_L2) {
        0 => Ok(()),
        _ => Err(Error::Unsupported("a feature of qcow2 that is not known")),
    }
}
