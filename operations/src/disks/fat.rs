//! An empty FAT32 file system labelled `ephemeral0`: what Nova puts on an ephemeral disk unless it is told
//! otherwise, and what every guest can read.
//!
//! The layout is that of Microsoft's "FAT32 File System Specification" 1.03; everything that is not
//! written here is zero, as on the new disk.

use uuid::Uuid;

use super::{Piece, put};

const SECTOR_BYTES: u64 = 512;
const RESERVED_SECTORS: u32 = 32;
const FATS: u32 = 2;
const BACKUP_SECTOR: u64 = 6;
const ROOT_CLUSTER: u32 = 2;
const LABEL: &[u8; 11] = b"ephemeral0 ";
/// Below this a file system of clusters of 512 bytes would be FAT16.
const LEAST_BYTES: u64 = 64 << 20;

/// The file system; nothing for a disk that FAT32 cannot describe (2 TiB and more): the guest formats that.
pub(super) fn format(size_bytes: u64, id: Uuid) -> Vec<Piece> {
    let Some(sectors) = u32::try_from(size_bytes / SECTOR_BYTES).ok().filter(|_| size_bytes >= LEAST_BYTES) else {
        return Vec::new();
    };
    let geometry = Geometry::of(sectors);
    let boot = boot_sector(&geometry, id);
    let info = info_sector(&geometry);
    let mut start = boot.clone();
    start.extend_from_slice(&info);
    let mut fat = vec![0; 512];
    // The media's byte, a clean volume, and the root directory's only cluster.
    for (entry, value) in [0x0fff_fff8_u32, 0x0fff_ffff, 0x0fff_ffff].into_iter().enumerate() {
        put(&mut fat, entry * 4, &value.to_le_bytes());
    }
    let mut root = vec![0; 512];
    put(&mut root, 0, LABEL);
    put(&mut root, 11, &[0x08]);
    let at = |sector: u64, data: &[u8]| Piece { offset: sector * SECTOR_BYTES, data: data.to_vec() };
    let (first, second) = (u64::from(RESERVED_SECTORS), u64::from(RESERVED_SECTORS + geometry.fat_sectors));
    vec![at(0, &start), at(BACKUP_SECTOR, &start), at(first, &fat), at(second, &fat), at(geometry.data_sector(), &root)]
}

struct Geometry {
    sectors: u32,
    cluster_sectors: u32,
    fat_sectors: u32,
}

impl Geometry {
    fn of(sectors: u32) -> Self {
        // Microsoft's table of cluster sizes for FAT32.
        let cluster_sectors = match (u64::from(sectors) * SECTOR_BYTES) >> 20 {
            0..=260 => 1,
            261..=8_192 => 8,
            8_193..=16_384 => 16,
            16_385..=32_768 => 32,
            _ => 64,
        };
        // The specification's own formula: a FAT that is a little too large is allowed.
        let per_sector = (256 * cluster_sectors + FATS) / 2;
        let fat_sectors = (sectors - RESERVED_SECTORS).div_ceil(per_sector);
        Self { sectors, cluster_sectors, fat_sectors }
    }

    fn data_sector(&self) -> u64 {
        u64::from(RESERVED_SECTORS) + u64::from(FATS) * u64::from(self.fat_sectors)
    }

    fn clusters(&self) -> u32 {
        let data = u64::from(self.sectors).saturating_sub(self.data_sector()) / u64::from(self.cluster_sectors);
        u32::try_from(data).unwrap_or(u32::MAX)
    }
}

fn boot_sector(geometry: &Geometry, id: Uuid) -> Vec<u8> {
    let mut sector = vec![0; 512];
    put(&mut sector, 0, &[0xeb, 0x58, 0x90]);
    put(&mut sector, 3, b"cuttle  ");
    put(&mut sector, 11, &512_u16.to_le_bytes());
    put(&mut sector, 13, &geometry.cluster_sectors.to_le_bytes()[..1]);
    put(&mut sector, 14, &RESERVED_SECTORS.to_le_bytes()[..2]);
    put(&mut sector, 16, &FATS.to_le_bytes()[..1]);
    put(&mut sector, 21, &[0xf8]);
    put(&mut sector, 24, &63_u16.to_le_bytes());
    put(&mut sector, 26, &255_u16.to_le_bytes());
    put(&mut sector, 32, &geometry.sectors.to_le_bytes());
    put(&mut sector, 36, &geometry.fat_sectors.to_le_bytes());
    put(&mut sector, 44, &ROOT_CLUSTER.to_le_bytes());
    put(&mut sector, 48, &1_u16.to_le_bytes());
    put(&mut sector, 50, &[BACKUP_SECTOR as u8, 0]);
    put(&mut sector, 64, &[0x80, 0, 0x29]);
    put(&mut sector, 67, &id.as_bytes()[..4]);
    put(&mut sector, 71, LABEL);
    put(&mut sector, 82, b"FAT32   ");
    // Whoever boots from it by mistake is sent on to the next disk (int 18h), and halts.
    put(&mut sector, 90, &[0xcd, 0x18, 0xf4, 0xeb, 0xfd]);
    put(&mut sector, 510, &[0x55, 0xaa]);
    sector
}

fn info_sector(geometry: &Geometry) -> Vec<u8> {
    let mut sector = vec![0; 512];
    put(&mut sector, 0, b"RRaA");
    put(&mut sector, 484, b"rrAa");
    put(&mut sector, 488, &(geometry.clusters() - 1).to_le_bytes());
    put(&mut sector, 492, &(ROOT_CLUSTER + 1).to_le_bytes());
    put(&mut sector, 510, &[0x55, 0xaa]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::reading;

    #[test]
    fn dosfstools_finds_nothing_to_mend() {
        let gib = 1_u64 << 30;
        for size_bytes in [LEAST_BYTES, gib, 9 * gib, 20 * gib, 100 * gib, 2048 * gib - 512] {
            let disk = reading::disk(size_bytes, &format(size_bytes, Uuid::from_u128(7 << 96)));
            let seen = reading::run("blkid", &["-p", "-o", "export"], disk.path());
            for expected in ["TYPE=vfat", "VERSION=FAT32", "LABEL=ephemeral0"] {
                assert!(seen.contains(expected), "{size_bytes}: {expected}: {seen}");
            }
            // Whole FATs are read into memory, so not of the largest.
            if size_bytes <= 20 * gib {
                reading::run("fsck.fat", &["-n"], disk.path());
            }
        }
    }

    #[test]
    fn a_disk_that_fat_cannot_describe_is_left_empty() {
        assert!(format(2 << 40, Uuid::nil()).is_empty());
        assert!(format(1 << 20, Uuid::nil()).is_empty());
    }
}
