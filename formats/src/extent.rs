//! Parts of a disk that hold data. What no extent covers is zeroes.

/// A part of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it is on the disk.
    pub offset: u64,
    pub length: u64,
    pub data: Data,
}

/// Where its bytes are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// As they are.
    Stored { at: u64 },
    /// Compressed, in at most `length` bytes.
    Compressed { at: u64, length: u32, codec: Codec },
}

/// How a part is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Deflate without a header: qcow2's usual one.
    Deflate,
    Zstd,
    /// Zlib behind a header of 12 bytes: VMDK's.
    VmdkGrain,
}
