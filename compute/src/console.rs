//! The end of a serial console's log.
//!
//! virtlogd keeps the log bounded by moving it aside (`console.log.0`, then `.1`, …) when it grows
//! large; what is missing in the newest file is taken from the ones before.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// As many older files as are looked at.
const OLDER_FILES: usize = 3;

/// The last `max_bytes` of the log, as text; bytes that are no UTF-8 become U+FFFD. No log is no text.
/// The text may be a little shorter, since it never starts within a character.
pub fn tail(log: &Path, max_bytes: u64) -> io::Result<String> {
    let mut parts = Vec::new();
    let mut wanted = max_bytes;
    for path in files(log) {
        if wanted == 0 {
            break;
        }
        let Some(part) = end_of(&path, wanted)? else {
            break;
        };
        wanted = wanted.saturating_sub(part.len() as u64);
        parts.push(part);
    }
    parts.reverse();
    Ok(text(&parts.concat(), max_bytes))
}

fn files(log: &Path) -> impl Iterator<Item = PathBuf> {
    let older = (0..OLDER_FILES).map(|number| {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    std::iter::once(log.to_owned()).chain(older)
}

fn end_of(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(max_bytes)))?;
    let mut bytes = Vec::new();
    // The guest may go on writing meanwhile.
    file.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The bytes as text of at most `max_bytes`, cut at its beginning if replacements made it longer.
fn text(bytes: &[u8], max_bytes: u64) -> String {
    // What is left of a character that the cut went through is no mistake of the guest's.
    let continuation = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    let text = String::from_utf8_lossy(&bytes[continuation..]).into_owned();
    let surplus = (text.len() as u64).saturating_sub(max_bytes);
    let start = usize::try_from(surplus).unwrap_or(text.len());
    let start = (start..=text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len());
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    #[test]
    fn the_end_is_read_across_moved_files_in_order() {
        let logs = written(&[("console.log", b"ghi"), ("console.log.0", b"def"), ("console.log.1", b"abc")]);
        let log = logs.path().join("console.log");
        for (max, expected) in [(0, ""), (2, "hi"), (3, "ghi"), (5, "efghi"), (9, "abcdefghi"), (100, "abcdefghi")] {
            assert_eq!(tail(&log, max).unwrap(), expected, "{max}");
        }
    }

    #[test]
    fn no_log_is_no_text() {
        assert_eq!(tail(Path::new("/nowhere/console.log"), 10).unwrap(), "");
    }

    proptest! {
        #[test]
        fn whatever_a_guest_writes_is_text_within_the_limit(content in any::<Vec<u8>>(), max in 0..300u64) {
            let logs = written(&[("console.log", &content)]);
            let text = tail(&logs.path().join("console.log"), max).unwrap();
            prop_assert!(text.len() as u64 <= max);
        }

        #[test]
        fn clean_text_comes_out_as_it_was(content in any::<String>()) {
            let logs = written(&[("console.log", content.as_bytes())]);
            let text = tail(&logs.path().join("console.log"), content.len() as u64).unwrap();
            prop_assert_eq!(text, content);
        }
    }
}
