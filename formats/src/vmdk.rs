//! VMware's VMDK in one file: monolithicSparse and streamOptimized. A directory of tables of grains:
//!
//! ```text
//! directory ── one entry for each table ──► table ── one entry for each grain ──► data, or compressed data
//! ```
//!
//! The text descriptor inside the file may name other files, also by path; all such images are refused.

mod descriptor;

use crate::cache::Cache;
use crate::disk::Piece;
use crate::extent::{Codec, Data};
use crate::fields::{le16, le32, le64};
use crate::{Error, Source};

const MAGIC: &[u8] = b"KDMV";
const SECTOR: u64 = 512;
const HEADER_BYTES: usize = 512;
/// In place of the directory's sector: it is in the footer, because the file was written as a stream.
const AT_END: u64 = u64::MAX;
const HAS_ZERO_GRAINS: u32 = 1 << 2;
const COMPRESSED: u32 = 1 << 16;
const DEFLATE: u16 = 1;
/// In the place of a grain's sector, where there are zero grains.
const ZERO_GRAIN: u32 = 1;

pub(crate) struct Vmdk {
    directory_at: u64,
    grain_bytes: u64,
    grains_of_table: u64,
    compressed: bool,
    zero_grains: bool,
    /// The table that was looked up last: its index and sector.
    current: Option<(u64, u32)>,
    tables_found: u64,
}

impl Vmdk {
    pub(crate) async fn open<S: Source>(file: &mut Cache<'_, S>) -> Result<(Self, u64), Error> {
        if !file.read(0, MAGIC.len(), "the header").await?.starts_with(MAGIC) {
            return Err(Error::NotAlone("the extents that its descriptor names"));
        }
        let start = file.read(0, HEADER_BYTES, "the header").await?;
        descriptor::check(file, le64(&start, 28), le64(&start, 36)).await?;
        let header = match le64(&start, 56) {
            AT_END => footer(file).await?,
            _ => start,
        };
        let flags = le32(&header, 8);
        let (capacity, grain, grains_of_table) = (le64(&header, 12), le64(&header, 20), u64::from(le32(&header, 44)));
        if !(1..=3).contains(&le32(&header, 4)) {
            return Err(Error::Unsupported("a version of VMDK other than 1 to 3"));
        }
        if !grain.is_power_of_two() || !(8..=4096).contains(&grain) {
            return Err(Error::Unsupported("an unusual size of grains"));
        }
        if !(1..=4096).contains(&grains_of_table) {
            return Err(Error::Unsupported("an unusual size of tables"));
        }
        let compressed = flags & COMPRESSED != 0;
        if compressed && le16(&header, 77) != DEFLATE {
            return Err(Error::Unsupported("a compression other than deflate"));
        }
        let sectors = |sectors: u64, what| sectors.checked_mul(SECTOR).ok_or(Error::Damaged(what));
        let opened = Self {
            directory_at: sectors(le64(&header, 56), "its directory is nowhere")?,
            grain_bytes: grain * SECTOR,
            grains_of_table,
            compressed,
            zero_grains: flags & HAS_ZERO_GRAINS != 0,
            current: None,
            tables_found: 0,
        };
        Ok((opened, sectors(capacity, "its disk has an impossible size")?))
    }

    pub(crate) async fn piece<S: Source>(&mut self, file: &mut Cache<'_, S>, offset: u64) -> Result<Piece, Error> {
        let covers = self.grain_bytes * self.grains_of_table;
        let table = match self.current {
            Some((index, table)) if index == offset / covers => table,
            _ => self.table(file, offset / covers).await?,
        };
        if table == 0 {
            return Ok(Piece { length: covers - offset % covers, data: None });
        }
        let index = offset % covers / self.grain_bytes;
        let at = u64::from(table) * SECTOR + index * 4;
        let sector = le32(&file.read(at, 4, "a table of grains").await?, 0);
        let within = offset % self.grain_bytes;
        let at = u64::from(sector) * SECTOR;
        let data = match sector {
            0 => None,
            ZERO_GRAIN if self.zero_grains => None,
            _ if self.compressed => {
                // Its header says how long it is. Deflate may make data a little longer, never twice as long.
                let longest = (self.grain_bytes * 2).min(file.size_bytes().saturating_sub(at));
                let length = u32::try_from(longest).unwrap_or(0);
                Some(Data::Compressed { at, length, codec: Codec::VmdkGrain })
            }
            _ => Some(Data::Stored { at: at + within }),
        };
        Ok(Piece { length: self.grain_bytes - within, data })
    }

    async fn table<S: Source>(&mut self, file: &mut Cache<'_, S>, index: u64) -> Result<u32, Error> {
        const WHAT: &str = "the directory";
        let at = index.checked_mul(4).and_then(|bytes| self.directory_at.checked_add(bytes));
        let entry = file.read(at.ok_or(Error::Truncated { what: WHAT })?, 4, WHAT).await?;
        let table = le32(&entry, 0);
        if table != 0 {
            self.tables_found += 1;
            if self.tables_found.saturating_mul(self.grains_of_table * 4) > file.size_bytes() {
                return Err(Error::Damaged("tables share their place in the file"));
            }
        }
        self.current = Some((index, table));
        Ok(table)
    }
}

/// A stream ends with a copy of the header that knows where the directory is, and a sector that ends the stream.
async fn footer<S: Source>(file: &mut Cache<'_, S>) -> Result<bytes::Bytes, Error> {
    let at = file.size_bytes().checked_sub(2 * SECTOR).ok_or(Error::Truncated { what: "the footer" })?;
    let footer = file.read(at, HEADER_BYTES, "the footer").await?;
    match footer.starts_with(MAGIC) && le64(&footer, 56) != AT_END {
        true => Ok(footer),
        false => Err(Error::Truncated { what: "the footer" }),
    }
}
