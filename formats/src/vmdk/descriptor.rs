//! The text inside a VMDK that says what it is made of. Taken is only what is made of this one file.

use crate::cache::Cache;
use crate::{Error, Source};

const SECTOR: u64 = 512;
const MAX_BYTES: u64 = 64 << 10;

pub(super) async fn check<S: Source>(file: &mut Cache<'_, S>, sector: u64, sectors: u64) -> Result<(), Error> {
    if sector == 0 || sectors == 0 {
        return Err(Error::NotAlone("a descriptor"));
    }
    let (Some(at), Some(length)) = (sector.checked_mul(SECTOR), sectors.checked_mul(SECTOR)) else {
        return Err(Error::Damaged("its descriptor is nowhere"));
    };
    let length = usize::try_from(length.min(MAX_BYTES)).unwrap_or(0);
    let bytes = file.read(at, length, "the descriptor").await?;
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| Error::Damaged("its descriptor is no text"))?;
    check_text(text)
}

fn check_text(text: &str) -> Result<(), Error> {
    let mut extents = 0;
    let mut is_one_file = false;
    for line in text.lines().map(str::trim) {
        let lower = line.to_ascii_lowercase();
        if let Some(kind) = value(&lower, "createtype") {
            match kind {
                "monolithicsparse" | "streamoptimized" => is_one_file = true,
                _ => return Err(Error::NotAlone("extents in other files, as its createType says")),
            }
        }
        if value(&lower, "parentcid").is_some_and(|parent| parent != "ffffffff") || value(&lower, "parentfilenamehint").is_some()
        {
            return Err(Error::NotAlone("a parent"));
        }
        let mut words = lower.split_whitespace();
        if words.next().is_some_and(|word| matches!(word, "rw" | "rdonly" | "noaccess")) {
            extents += 1;
            if words.nth(1) != Some("sparse") {
                return Err(Error::NotAlone("an extent that is not sparse"));
            }
        }
    }
    match (is_one_file, extents) {
        (true, 1) => Ok(()),
        (true, _) => Err(Error::NotAlone("more than one extent")),
        (false, _) => Err(Error::Damaged("its descriptor does not say what it is")),
    }
}

/// The value of `key` if the line sets it; quotes are taken off.
fn value<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let (name, value) = line.split_once('=')?;
    (name.trim() == key).then(|| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_file_without_a_parent_is_taken() {
        let text = |kind: &str, parent: &str, extents: &str| {
            format!(
                "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID={parent}\ncreateType=\"{kind}\"\n\n{extents}\nddb.x = \"y\"\n"
            )
        };
        let one = "RW 2048 SPARSE \"a.vmdk\"";
        assert!(check_text(&text("monolithicSparse", "ffffffff", one)).is_ok());
        assert!(check_text(&text("streamOptimized", "FFFFFFFF", one)).is_ok());
        for bad in [
            text("monolithicFlat", "ffffffff", "RW 2048 FLAT \"/etc/passwd\" 0"),
            text("twoGbMaxExtentSparse", "ffffffff", one),
            text("monolithicSparse", "12345678", one),
            text("monolithicSparse", "ffffffff", "RW 2048 FLAT \"/etc/passwd\" 0"),
            text("monolithicSparse", "ffffffff", &format!("{one}\nRW 1 SPARSE \"b\"")),
            text("monolithicSparse", "ffffffff", &format!("{one}\nparentFileNameHint=\"x\"")),
            text("monolithicSparse", "ffffffff", ""),
            String::new(),
        ] {
            assert!(check_text(&bad).is_err(), "{bad}");
        }
    }
}
