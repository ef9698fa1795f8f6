//! A swap area, as Linux's `mkswap` makes it: one page of header, whatever the size.
//!
//! The layout is `union swap_header` of the kernel's `include/linux/swap.h`, version 1, in pages of 4 KiB.

use uuid::Uuid;

use super::{Piece, put};

const PAGE_BYTES: usize = 4096;
const SIGNATURE: &[u8] = b"SWAPSPACE2";

/// The header of a swap area that fills the disk; nothing for a disk that is too small to hold one.
pub(super) fn format(size_bytes: u64, id: Uuid) -> Vec<Piece> {
    // The kernel counts pages in 32 bits and needs ten of them.
    let pages = u32::try_from(size_bytes / PAGE_BYTES as u64).unwrap_or(u32::MAX);
    if pages < 10 {
        return Vec::new();
    }
    let mut page = vec![0; PAGE_BYTES];
    put(&mut page, 1024, &1_u32.to_le_bytes());
    put(&mut page, 1028, &(pages - 1).to_le_bytes());
    put(&mut page, 1036, id.as_bytes());
    put(&mut page, 1052, b"swap");
    put(&mut page, PAGE_BYTES - SIGNATURE.len(), SIGNATURE);
    vec![Piece { offset: 0, data: page }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::reading;

    #[test]
    fn util_linux_finds_a_swap_area() {
        let id = Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);
        let disk = reading::disk(64 << 20, &format(64 << 20, id));
        let seen = reading::run("blkid", &["-p", "-o", "export"], disk.path());
        for expected in ["TYPE=swap", "VERSION=1", "LABEL=swap", &format!("UUID={id}")] {
            assert!(seen.contains(expected), "{expected}: {seen}");
        }
    }

    #[test]
    fn a_disk_that_is_too_small_is_left_empty() {
        assert!(format(9 * 4096, Uuid::nil()).is_empty());
    }
}
