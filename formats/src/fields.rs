//! Numbers at fixed places of a header. A place beyond the header reads as zero, which no caller relies on: headers are read
//! whole or not at all.

pub(crate) fn bytes<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let found = at.checked_add(N).and_then(|end| header.get(at..end));
    found.and_then(|slice| slice.try_into().ok()).unwrap_or([0; N])
}

pub(crate) fn be32(header: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes(header, at))
}

pub(crate) fn be64(header: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes(header, at))
}

pub(crate) fn le16(header: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(header, at))
}

pub(crate) fn le32(header: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(header, at))
}

pub(crate) fn le64(header: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(header, at))
}
