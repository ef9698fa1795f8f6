//! Which format a file is in, by its content.

use crate::Error;

/// How much of a file's start [`detect`] wants to see: an ISO 9660 volume says what it is at 32 KiB.
pub const START_BYTES: usize = 34 << 10;
/// How much of its end: a fixed VHD says what it is there only.
pub const TAIL_BYTES: usize = 512;

/// The formats that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Raw,
    Iso,
    Qcow2,
    Vmdk,
    Vdi,
    Vhd,
}

impl Format {
    pub const ALL: [Self; 6] = [Self::Raw, Self::Iso, Self::Qcow2, Self::Vmdk, Self::Vdi, Self::Vhd];

    /// The word that Glance has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Iso => "iso",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhd => "vhd",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Are the file's bytes the disk's bytes?
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Raw | Self::Iso)
    }
}

const MAGICS: [(&[u8], &str); 8] = [
    (b"QFI\xfb", "qcow2"),
    (b"KDMV", "vmdk"),
    (b"COWD", "vmdk"),
    (b"# Disk DescriptorFile", "vmdk"),
    (b"vhdxfile", "vhdx"),
    (VHD_COOKIE, "vhd"),
    (b"QED\0", "qed"),
    (b"WithoutFreeSpace", "parallels"),
];
pub(crate) const VHD_COOKIE: &[u8] = b"conectix";
pub(crate) const VDI_SIGNATURE: [u8; 4] = 0xbeda_107f_u32.to_le_bytes();
const VDI_SIGNATURE_AT: usize = 0x40;
const ISO_AT: usize = (32 << 10) + 1;

/// The format that a file's start and end show, or `None` where they show none: then it may be raw.
pub fn detect(start: &[u8], tail: &[u8]) -> Option<&'static str> {
    let at = |at: usize, what: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(what));
    if let Some((_, name)) = MAGICS.iter().find(|(magic, _)| at(0, magic)) {
        return Some(name);
    }
    if at(VDI_SIGNATURE_AT, &VDI_SIGNATURE) {
        return Some("vdi");
    }
    if tail.len() == TAIL_BYTES && tail.starts_with(VHD_COOKIE) {
        return Some("vhd");
    }
    at(ISO_AT, b"CD001").then_some("iso")
}

/// Is the content what was declared? A disk of which nothing is known is raw; so is the image of a CD, whose bytes are the
/// disk's either way.
pub fn check(declared: Format, start: &[u8], tail: &[u8]) -> Result<(), Error> {
    match (declared, detect(start, tail)) {
        (Format::Raw, None | Some("iso")) => Ok(()),
        (declared, Some(found)) if declared.as_str() == found => Ok(()),
        (declared, found) => Err(Error::WrongFormat { declared, found: found.unwrap_or("raw") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_must_be_what_is_there() {
        let mut iso = vec![0; START_BYTES];
        iso[ISO_AT..ISO_AT + 5].copy_from_slice(b"CD001");
        let mut tail = vec![0; TAIL_BYTES];
        tail[..8].copy_from_slice(VHD_COOKIE);
        let refused = |declared, start: &[u8], tail: &[u8]| check(declared, start, tail).unwrap_err().to_string();
        assert!(refused(Format::Raw, b"QFI\xfb\0\0\0\x03", b"").contains("its content is qcow2, not raw"));
        assert!(refused(Format::Raw, &[0; 600], &tail).contains("vhd"));
        assert!(refused(Format::Qcow2, &[7; 600], b"").contains("its content is raw, not qcow2"));
        assert!(refused(Format::Iso, &[0; 600], b"").contains("raw, not iso"));
        assert!(refused(Format::Vmdk, b"QFI\xfb", b"").contains("qcow2, not vmdk"));
        // A polyglot is what its first bytes say.
        let mut both = iso.clone();
        both[..4].copy_from_slice(b"QFI\xfb");
        assert!(refused(Format::Iso, &both, b"").contains("qcow2"));
        for (declared, start, tail) in [
            (Format::Raw, &b""[..], &b""[..]),
            (Format::Raw, &iso, b""),
            (Format::Iso, &iso, b""),
            (Format::Vhd, &[0; 600], &tail),
        ] {
            assert!(check(declared, start, tail).is_ok(), "{declared:?}");
        }
    }
}
