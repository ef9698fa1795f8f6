//! Files that `init` makes: whole or not at all, with the mode that they are to have from the start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::init::InitError;

/// Writes beside, then renames: whoever reads sees all of it or nothing.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), InitError> {
    let beside = path.with_extension("new");
    let written = || -> io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    in_file(path, "written", written())
}

pub fn in_file<T>(path: &Path, done: &'static str, result: io::Result<T>) -> Result<T, InitError> {
    result.map_err(|source| InitError::File { path: path.to_owned(), done, source })
}
