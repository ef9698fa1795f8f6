//! Decompression of one cluster or grain.

use std::io::Read;

use crate::fields::le32;
use crate::{Codec, Error};

const DAMAGED: Error = Error::Damaged("a compressed part cannot be decompressed");
/// In front of each compressed grain: its sector (8 bytes) and its compressed length (4).
const GRAIN_HEADER_BYTES: usize = 12;

/// The first `length` bytes of what `data` holds. What comes behind them is padding and not looked at.
pub(crate) fn decompress(codec: Codec, data: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    match codec {
        Codec::Deflate => exactly(flate2::read::DeflateDecoder::new(data), length),
        Codec::Zstd => exactly(zstd::Decoder::with_buffer(data).map_err(|_| DAMAGED)?, length),
        Codec::VmdkGrain => {
            let bytes = le32(data, 8) as usize;
            let end = GRAIN_HEADER_BYTES.checked_add(bytes).filter(|_| bytes > 0);
            let grain = end.and_then(|end| data.get(GRAIN_HEADER_BYTES..end));
            let grain = grain.ok_or(Error::Damaged("a compressed grain is longer than its place"))?;
            exactly(flate2::read::ZlibDecoder::new(grain), length)
        }
    }
}

fn exactly(mut reader: impl Read, length: usize) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; length];
    reader.read_exact(&mut out).map_err(|_| DAMAGED)?;
    Ok(out)
}
