//! Microsoft's VHD ("vpc" in QEMU), fixed and dynamic. Its header is a footer: the last 512 bytes.

use crate::cache::Cache;
use crate::detect::VHD_COOKIE;
use crate::disk::Piece;
use crate::extent::Data;
use crate::fields::{be32, be64};
use crate::{Error, Source};

const FOOTER_BYTES: usize = 512;
const CHECKSUM_AT: usize = 64;
const HEADER_BYTES: usize = 1024;
const HEADER_CHECKSUM_AT: usize = 36;
const NO_BLOCK: u32 = u32::MAX;

pub(crate) enum Vhd {
    Fixed,
    Dynamic {
        table_at: u64,
        block_bytes: u64,
        /// In front of each block is a map of its sectors. Sectors that it leaves out are zeroes in the block, too.
        bitmap_bytes: u64,
    },
}

impl Vhd {
    pub(crate) async fn open<S: Source>(file: &mut Cache<'_, S>) -> Result<(Self, u64), Error> {
        let at = file.size_bytes().checked_sub(FOOTER_BYTES as u64).ok_or(Error::Truncated { what: "the footer" })?;
        let footer = file.read(at, FOOTER_BYTES, "the footer").await?;
        if !footer.starts_with(VHD_COOKIE) {
            // A dynamic one begins with a copy of its footer.
            return Err(Error::Truncated { what: "the footer" });
        }
        check_sum(&footer, CHECKSUM_AT)?;
        let size = be64(&footer, 48);
        match be32(&footer, 60) {
            2 if size <= at => Ok((Self::Fixed, size)),
            2 => Err(Error::Truncated { what: "a part of the disk" }),
            3 => Ok((Self::dynamic(file, be64(&footer, 16), size).await?, size)),
            4 => Err(Error::NotAlone("the disk that it is a difference to")),
            _ => Err(Error::Unsupported("an unknown type of VHD")),
        }
    }

    async fn dynamic<S: Source>(file: &mut Cache<'_, S>, at: u64, size: u64) -> Result<Self, Error> {
        let header = file.read(at, HEADER_BYTES, "the header").await?;
        if !header.starts_with(b"cxsparse") {
            return Err(Error::Damaged("its header has no signature"));
        }
        check_sum(&header, HEADER_CHECKSUM_AT)?;
        let block_bytes = u64::from(be32(&header, 32));
        if !block_bytes.is_power_of_two() || !(4096..=64 << 20).contains(&block_bytes) {
            return Err(Error::Unsupported("unusual sizes of blocks"));
        }
        if u64::from(be32(&header, 28)) < size.div_ceil(block_bytes) {
            return Err(Error::Damaged("its table is too small for its disk"));
        }
        let bitmap_bytes = (block_bytes / 512).div_ceil(8).next_multiple_of(512);
        Ok(Self::Dynamic { table_at: be64(&header, 16), block_bytes, bitmap_bytes })
    }

    pub(crate) async fn piece<S: Source>(&mut self, file: &mut Cache<'_, S>, offset: u64) -> Result<Piece, Error> {
        let Self::Dynamic { table_at, block_bytes, bitmap_bytes } = *self else {
            return Ok(Piece { length: u64::MAX, data: Some(Data::Stored { at: offset }) });
        };
        let (index, within) = (offset / block_bytes, offset % block_bytes);
        let entry = table_at.checked_add(index * 4).ok_or(Error::Truncated { what: "the table of blocks" })?;
        let sector = be32(&file.read(entry, 4, "the table of blocks").await?, 0);
        let at = u64::from(sector) * 512 + bitmap_bytes + within;
        Ok(Piece { length: block_bytes - within, data: (sector != NO_BLOCK).then_some(Data::Stored { at }) })
    }
}

/// The sum of all bytes but the checksum's own, inverted.
fn check_sum(header: &[u8], at: usize) -> Result<(), Error> {
    let others = header.iter().enumerate().filter(|(index, _)| !(at..at + 4).contains(index));
    let sum = others.fold(0_u32, |sum, (_, byte)| sum.wrapping_add(u32::from(*byte)));
    match !sum == be32(header, at) {
        true => Ok(()),
        false => Err(Error::Damaged("a checksum is wrong")),
    }
}
