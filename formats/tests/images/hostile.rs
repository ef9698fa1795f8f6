//! Files that were made to do harm, and files that are broken: refused with a reason, never a panic, never without end.

use std::sync::LazyLock;

use crate::support::{import, noise, open_and_copy, qemu_img};
use bytes::Bytes;
use cuttle_formats::{Error, Format};
use proptest::prelude::*;

const LIMIT: u64 = 64 << 20;

fn made(arguments: &[&str]) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base"), noise(1, 1 << 20)).unwrap();
    qemu_img(folder.path(), arguments);
    Bytes::from(std::fs::read(folder.path().join("image")).unwrap())
}

fn qcow2() -> Vec<u8> {
    made(&["convert", "-f", "raw", "-O", "qcow2", "base", "image"]).to_vec()
}

fn changed(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Bytes {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file.into()
}

fn refusal(file: &Bytes, format: Format) -> Error {
    match import(file, format, LIMIT) {
        Ok((size, _)) => panic!("a disk of {size} bytes was taken"),
        Err(error) => error,
    }
}

#[test]
fn what_needs_another_file_is_refused() {
    let backed = made(&["create", "-f", "qcow2", "-b", "base", "-F", "raw", "image"]);
    assert!(matches!(refusal(&backed, Format::Qcow2), Error::NotAlone("a backing file")));
    let etc = made(&["create", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", "image", "1M"]);
    assert!(matches!(refusal(&etc, Format::Qcow2), Error::NotAlone("a backing file")));
    let external = made(&["create", "-f", "qcow2", "-o", "data_file=data,data_file_raw=on", "image", "1M"]);
    assert!(matches!(refusal(&external, Format::Qcow2), Error::NotAlone("an external data file")));
    let flat = made(&["create", "-f", "vmdk", "-o", "subformat=monolithicFlat", "image", "1M"]);
    assert!(matches!(refusal(&flat, Format::Vmdk), Error::NotAlone(_)));
    let folder = tempfile::tempdir().unwrap();
    qemu_img(folder.path(), &["create", "-f", "vmdk", "base", "1M"]);
    qemu_img(folder.path(), &["create", "-f", "vmdk", "-b", "base", "-F", "vmdk", "image"]);
    let parent = Bytes::from(std::fs::read(folder.path().join("image")).unwrap());
    assert!(matches!(refusal(&parent, Format::Vmdk), Error::NotAlone("a parent")));
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_read() {
    for (format, name) in [(Format::Qcow2, "qcow2"), (Format::Vmdk, "vmdk"), (Format::Vdi, "vdi"), (Format::Vhd, "vpc")] {
        let huge = made(&["create", "-f", name, "image", "500G"]);
        let error = refusal(&huge, format);
        assert!(matches!(error, Error::TooLarge { limit_bytes: LIMIT, .. }), "{name}: {error}");
    }
    let empty = made(&["create", "-f", "qcow2", "image", "0"]);
    assert!(matches!(refusal(&empty, Format::Qcow2), Error::Damaged(_)));
}

#[test]
fn a_table_of_tables_of_gigabytes_is_refused() {
    let file = changed(qcow2(), 36, &u32::MAX.to_be_bytes());
    assert!(matches!(refusal(&file, Format::Qcow2), Error::Damaged("its L1 table is absurdly large")));
    let small = changed(qcow2(), 36, &0_u32.to_be_bytes());
    assert!(matches!(refusal(&small, Format::Qcow2), Error::Damaged("its L1 table is too small for its disk")));
    let outside = changed(qcow2(), 40, &(1_u64 << 40).to_be_bytes());
    assert!(matches!(refusal(&outside, Format::Qcow2), Error::Truncated { what: "the L1 table" }));
}

#[test]
fn a_small_file_does_not_become_a_large_disk() {
    // Every cluster of the disk is the same cluster of the file.
    let mut file = made(&["convert", "-f", "raw", "-O", "qcow2", "base", "image"]).to_vec();
    let be64 = |file: &[u8], at: usize| u64::from_be_bytes(file[at..at + 8].try_into().unwrap());
    let l1 = usize::try_from(be64(&file, 40)).unwrap();
    let l2 = usize::try_from(be64(&file, l1) & 0x00ff_ffff_ffff_fe00).unwrap();
    let entry = file[l2..l2 + 8].to_vec();
    for index in 0..64 * 16 {
        file[l2 + index * 8..l2 + index * 8 + 8].copy_from_slice(&entry);
    }
    file[24..32].copy_from_slice(&LIMIT.to_be_bytes());
    let error = refusal(&file.into(), Format::Qcow2);
    assert!(matches!(error, Error::Damaged("parts of the disk share their place in the file")), "{error}");
}

#[test]
fn marked_and_unknown_files_are_refused() {
    for (bits, expected) in [(2_u64, "corrupt"), (4, "external data"), (1 << 40, "not known")] {
        let file = changed(qcow2(), 72, &bits.to_be_bytes());
        assert!(refusal(&file, Format::Qcow2).to_string().contains(expected), "{bits}");
    }
    assert!(refusal(&changed(qcow2(), 4, &9_u32.to_be_bytes()), Format::Qcow2).to_string().contains("version"));
    assert!(refusal(&changed(qcow2(), 32, &2_u32.to_be_bytes()), Format::Qcow2).to_string().contains("encryption"));
    assert!(refusal(&changed(qcow2(), 20, &40_u32.to_be_bytes()), Format::Qcow2).to_string().contains("clusters"));
    assert!(refusal(&qcow2().into(), Format::Raw).to_string().contains("qcow2, not raw"));
    let vhdx = made(&["create", "-f", "vhdx", "image", "1M"]);
    assert!(refusal(&vhdx, Format::Vhd).to_string().contains("vhdx, not vhd"));
    let fixed = made(&["convert", "-f", "raw", "-O", "vpc", "-o", "subformat=fixed", "base", "image"]);
    assert!(refusal(&fixed, Format::Raw).to_string().contains("vhd, not raw"));
}

/// One small file of each kind.
static FILES: LazyLock<Vec<(Format, Bytes)>> = LazyLock::new(|| {
    let ways: [(Format, &[&str]); 8] = [
        (Format::Qcow2, &["qcow2", "-o", "cluster_size=4k"]),
        (Format::Qcow2, &["qcow2", "-c", "-o", "cluster_size=4k"]),
        (Format::Qcow2, &["qcow2", "-c", "-o", "compression_type=zstd,extended_l2=on,cluster_size=16k"]),
        (Format::Vmdk, &["vmdk"]),
        (Format::Vmdk, &["vmdk", "-o", "subformat=streamOptimized"]),
        (Format::Vdi, &["vdi"]),
        (Format::Vhd, &["vpc"]),
        (Format::Vhd, &["vpc", "-o", "subformat=fixed"]),
    ];
    ways.iter()
        .map(|(format, options)| (*format, made(&[&["convert", "-f", "raw", "-O"], *options, &["base", "image"]].concat())))
        .collect()
});

#[test]
fn a_file_that_ends_early_is_refused() {
    for (format, file) in FILES.iter() {
        for keep in [0, 1, 511, 512, 4096, file.len() / 3, file.len() / 2] {
            let error = open_and_copy(&file.slice(..keep.min(file.len())), *format, LIMIT).err();
            assert!(error.is_some_and(|error| error.is_files()), "{format:?} cut to {keep} bytes was taken");
        }
    }
}

fn places(file: &Bytes) -> impl Strategy<Value = usize> + use<> {
    let length = file.len();
    // Headers and tables are at the start, mostly; a VHD's header is at the end.
    prop_oneof![4 => 0..600_usize, 2 => 0..length, 1 => Just(length - 512).prop_flat_map(move |end| end..length)]
        .prop_map(move |place| place.min(length - 1))
}

fn harmless(format: Format, file: &Bytes) {
    match open_and_copy(file, format, LIMIT) {
        Ok((size, written)) => written.assert_tidy(size),
        Err(error) => assert!(error.is_files(), "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_do_no_harm(
        (index, changes) in (0..8_usize).prop_flat_map(|index| {
            let values = prop_oneof![Just(0_u8), Just(0xff), Just(1), Just(0x80), any::<u8>()];
            (Just(index), proptest::collection::vec((places(&FILES[index].1), values), 1..6))
        })
    ) {
        let (format, file) = &FILES[index];
        let mut file = file.to_vec();
        for (place, value) in changes {
            file[place] = value;
        }
        // A checksum would keep most changes from being looked at.
        mend_checksum(&mut file);
        harmless(*format, &file.into());
    }

    #[test]
    fn made_up_files_do_no_harm(format in 1..6_usize, bytes in proptest::collection::vec(any::<u8>(), 0..3000), seed in any::<u64>()) {
        const MAGICS: [(Format, &[u8], usize); 5] = [
            (Format::Iso, b"", 0),
            (Format::Qcow2, b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\0\0\0", 0),
            (Format::Vmdk, b"KDMV\x01\0\0\0", 0),
            (Format::Vdi, &0xbeda_107f_u32.to_le_bytes(), 0x40),
            (Format::Vhd, b"conectix", 0),
        ];
        let (format, magic, at) = MAGICS[format - 1];
        let mut file = bytes;
        file.extend(noise(seed, 600));
        let at = if format == Format::Vhd { file.len() - 512 } else { at };
        file[at..at + magic.len()].copy_from_slice(magic);
        mend_checksum(&mut file);
        harmless(format, &file.into());
    }
}

/// Makes the checksum of a VHD's footer right again.
fn mend_checksum(file: &mut [u8]) {
    let Some(start) = file.len().checked_sub(512) else { return };
    let footer = &mut file[start..];
    if footer.starts_with(b"conectix") {
        footer[64..68].fill(0);
        let sum = footer.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    }
}
