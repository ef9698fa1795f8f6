//! VirtualBox's VDI, dynamic and static: a header, a map with one number for each block, the blocks.

use crate::cache::Cache;
use crate::detect::VDI_SIGNATURE;
use crate::disk::Piece;
use crate::extent::Data;
use crate::fields::{bytes, le32, le64};
use crate::{Error, Source};

const HEADER_BYTES: usize = 0x200;
/// Numbers from here on say that a block holds nothing: never written, or discarded.
const NO_BLOCK: u32 = 0xffff_fffe;

pub(crate) struct Vdi {
    map_at: u64,
    data_at: u64,
    block_bytes: u64,
}

impl Vdi {
    pub(crate) async fn open<S: Source>(file: &mut Cache<'_, S>) -> Result<(Self, u64), Error> {
        let header = file.read(0, HEADER_BYTES, "the header").await?;
        if bytes(&header, 0x40) != VDI_SIGNATURE {
            return Err(Error::Damaged("its header has no signature"));
        }
        if le32(&header, 0x44) >> 16 != 1 {
            return Err(Error::Unsupported("a version of VDI other than 1"));
        }
        if !matches!(le32(&header, 0x4c), 1 | 2) {
            return Err(Error::NotAlone("the disk that it is a difference to"));
        }
        let (link, parent): ([u8; 16], [u8; 16]) = (bytes(&header, 0x1a8), bytes(&header, 0x1b8));
        if link != [0; 16] || parent != [0; 16] {
            return Err(Error::NotAlone("a parent"));
        }
        let (size, block_bytes) = (le64(&header, 0x170), u64::from(le32(&header, 0x178)));
        if le32(&header, 0x168) != 512 || !block_bytes.is_power_of_two() || !(4096..=64 << 20).contains(&block_bytes) {
            return Err(Error::Unsupported("unusual sizes of sectors or blocks"));
        }
        if le32(&header, 0x17c) != 0 {
            return Err(Error::Unsupported("extra data in blocks"));
        }
        if u64::from(le32(&header, 0x180)) < size.div_ceil(block_bytes) {
            return Err(Error::Damaged("its map is too small for its disk"));
        }
        let opened = Self { map_at: u64::from(le32(&header, 0x154)), data_at: u64::from(le32(&header, 0x158)), block_bytes };
        Ok((opened, size))
    }

    pub(crate) async fn piece<S: Source>(&mut self, file: &mut Cache<'_, S>, offset: u64) -> Result<Piece, Error> {
        let (index, within) = (offset / self.block_bytes, offset % self.block_bytes);
        let number = le32(&file.read(self.map_at + index * 4, 4, "the map of blocks").await?, 0);
        let at = self.data_at + u64::from(number) * self.block_bytes + within;
        Ok(Piece { length: self.block_bytes - within, data: (number < NO_BLOCK).then_some(Data::Stored { at }) })
    }
}
