//! For tests: a disk as a sparse file, looked at by the programs that made such disks first.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::Piece;

/// A disk of this size that holds these pieces.
pub(super) fn disk(size_bytes: u64, pieces: &[Piece]) -> tempfile::NamedTempFile {
    let disk = tempfile::NamedTempFile::new().unwrap();
    let file: &File = disk.as_file();
    file.set_len(size_bytes).unwrap();
    for Piece { offset, data } in pieces {
        file.write_all_at(data, *offset).unwrap();
    }
    disk
}

/// What a program says of the disk; panics if it is not content.
pub(super) fn run(program: &str, arguments: &[&str], disk: &Path) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).arg(disk).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}, which this test compares with, cannot be started: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program}: {text}");
    text
}
