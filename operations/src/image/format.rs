//! Which disk format the first bytes of an upload show, where they show one that is not raw.

/// Enough bytes to tell.
pub(super) const SNIFFED_BYTES: usize = 64;

/// The name of the format, or `None` for what may be raw. A raw disk may begin with anything, so this
/// is a courtesy to people who chose the wrong `--disk-format`, not a guard: in Ceph all is raw anyway.
pub(super) fn not_raw(start: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 6] = [
        (b"QFI\xfb", "qcow2"),
        (b"KDMV", "vmdk"),
        (b"# Disk DescriptorFile", "vmdk"),
        (b"vhdxfile", "vhdx"),
        (b"conectix", "vhd"),
        (b"QED\0", "qed"),
    ];
    let vdi = start.starts_with(b"<<< ");
    MAGICS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name).or(vdi.then_some("vdi"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_are_named_and_others_pass() {
        assert_eq!(not_raw(b"QFI\xfb\0\0\0\x03"), Some("qcow2"));
        assert_eq!(not_raw(b"<<< Oracle VM VirtualBox Disk Image >>>\n                        "), Some("vdi"));
        assert_eq!(not_raw(&[0xeb, 0x63, 0x90]), None);
        assert_eq!(not_raw(b""), None);
    }
}
