//! Images that `qemu-img` made become, byte for byte, the disk that they were made of.

use crate::support::{import, mixed, noise, qemu_img};
use bytes::Bytes;
use cuttle_formats::Format;

const LIMIT: u64 = 1 << 30;

/// Each way to make an image: our format, QEMU's name of it, and options of `qemu-img convert`.
const WAYS: &[(Format, &str, &[&str])] = &[
    (Format::Raw, "raw", &[]),
    (Format::Qcow2, "qcow2", &[]),
    (Format::Qcow2, "qcow2", &["-o", "compat=0.10"]),
    (Format::Qcow2, "qcow2", &["-o", "cluster_size=512"]),
    (Format::Qcow2, "qcow2", &["-o", "cluster_size=2M"]),
    (Format::Qcow2, "qcow2", &["-o", "extended_l2=on,cluster_size=128k"]),
    (Format::Qcow2, "qcow2", &["-o", "preallocation=metadata"]),
    (Format::Qcow2, "qcow2", &["-c"]),
    (Format::Qcow2, "qcow2", &["-c", "-o", "compression_type=zstd"]),
    (Format::Qcow2, "qcow2", &["-c", "-o", "compression_type=zstd,cluster_size=2M"]),
    (Format::Qcow2, "qcow2", &["-c", "-o", "compression_type=zstd,extended_l2=on,cluster_size=64k"]),
    (Format::Qcow2, "qcow2", &["-c", "-o", "compat=0.10,cluster_size=4k"]),
    (Format::Vmdk, "vmdk", &["-o", "subformat=monolithicSparse"]),
    (Format::Vmdk, "vmdk", &["-o", "subformat=monolithicSparse,compat6,zeroed_grain=on"]),
    (Format::Vmdk, "vmdk", &["-o", "subformat=streamOptimized"]),
    (Format::Vdi, "vdi", &[]),
    (Format::Vdi, "vdi", &["-o", "static=on"]),
    (Format::Vhd, "vpc", &["-o", "subformat=dynamic"]),
    (Format::Vhd, "vpc", &["-o", "subformat=dynamic,force_size=on"]),
    (Format::Vhd, "vpc", &["-o", "subformat=fixed"]),
    (Format::Vhd, "vpc", &["-o", "subformat=fixed,force_size=on"]),
];

/// Makes an image of `disk` in each way, and compares what we read with what QEMU reads.
fn compare(disk: &[u8], most_written: u64) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("disk"), disk).unwrap();
    for (format, name, options) in WAYS {
        let convert: Vec<&str> = ["convert", "-f", "raw", "-O", name].into_iter().chain(options.iter().copied()).collect();
        qemu_img(folder.path(), &[&convert[..], &["disk", "image"]].concat());
        qemu_img(folder.path(), &["convert", "-f", name, "-O", "raw", "image", "back"]);
        let file = Bytes::from(std::fs::read(at("image")).unwrap());
        let (size, written) = import(&file, *format, LIMIT).unwrap_or_else(|error| panic!("{name} {options:?}: {error}"));
        let back = std::fs::read(at("back")).unwrap();
        assert_eq!(size, back.len() as u64, "{name} {options:?}");
        written.assert_tidy(size);
        let content = written.content(size);
        assert!(content == back, "{name} {options:?}: differs from what QEMU reads");
        assert!(content[..disk.len()] == *disk, "{name} {options:?}: differs from what it was made of");
        let is_sparse = *format != Format::Raw
            && !options.iter().any(|option| ["fixed", "static", "metadata"].iter().any(|word| option.contains(word)));
        if is_sparse {
            assert!(written.bytes() <= most_written, "{name} {options:?}: {} bytes were written", written.bytes());
        }
    }
}

#[test]
fn data_and_holes() {
    // What holds data in clusters of 2 MiB, the largest there are.
    compare(&mixed(), 18 << 20);
}

#[test]
fn nothing_but_zeroes() {
    compare(&vec![0; 8 << 20], 0);
}

#[test]
fn nothing_but_data() {
    compare(&noise(9, 3 << 20), 6 << 20);
}

#[test]
fn one_sector() {
    compare(&noise(10, 512), 6 << 20);
}

#[test]
fn a_table_of_tables_with_many_entries() {
    // Clusters of 512 bytes: each L2 table speaks of 32 KiB, so the L1 table has more entries than a block holds.
    let folder = tempfile::tempdir().unwrap();
    qemu_img(folder.path(), &["create", "-f", "qcow2", "-o", "cluster_size=512", "image", "4G"]);
    let io = std::process::Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write -P 7 0 64k", "-c", "write -P 9 4294900000 1000", "image"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(io.status.success(), "{}", String::from_utf8_lossy(&io.stdout));
    let file = Bytes::from(std::fs::read(folder.path().join("image")).unwrap());
    let (size, written) = import(&file, Format::Qcow2, 8 << 30).unwrap();
    assert_eq!(size, 4 << 30);
    written.assert_tidy(size);
    let mut places = written.places();
    places.retain(|(_, data)| data.iter().any(|byte| *byte != 0));
    places.sort_by_key(|(offset, _)| *offset);
    assert_eq!(places.iter().map(|(_, data)| data.iter().filter(|byte| **byte == 7).count()).sum::<usize>(), 64 << 10);
    assert_eq!(places.iter().map(|(_, data)| data.iter().filter(|byte| **byte == 9).count()).sum::<usize>(), 1000);
    let (last, data) = places.last().unwrap();
    assert_eq!(last + data.iter().position(|byte| *byte == 9).unwrap() as u64, 4_294_900_000 / 512 * 512 + 4_294_900_000 % 512);
}

#[test]
fn snapshots_inside_are_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("disk"), mixed()).unwrap();
    qemu_img(folder.path(), &["convert", "-f", "raw", "-O", "qcow2", "disk", "image"]);
    qemu_img(folder.path(), &["snapshot", "-c", "before", "image"]);
    let file = Bytes::from(std::fs::read(folder.path().join("image")).unwrap());
    let (size, written) = import(&file, Format::Qcow2, LIMIT).unwrap();
    assert!(written.content(size) == mixed());
}
