//! Files as an ISO 9660 file system labelled `config-2`, by which cloud-init finds it on any disk.
//! Long names come with Rock Ridge (Linux) and Joliet (Windows).

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use hadris_iso::joliet::JolietLevel;
use hadris_iso::read::PathSeparator;
use hadris_iso::rrip::RripOptions;
use hadris_iso::write::options::{BaseIsoLevel, CreationFeatures, IsoFormatOptions};
use hadris_iso::write::{File, InputFiles, IsoCreationError, IsoImageWriter};

const LABEL: &str = "config-2";
const SECTOR_BYTES: usize = 2048;
/// Where the primary volume descriptor says how many sectors the volume has.
const VOLUME_SECTORS_AT: usize = 16 * SECTOR_BYTES + 80;

/// Contents by path; a path's parts are separated by `/`.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct Folder {
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeMap<String, Folder>,
}

/// The file system that holds these files.
pub(super) fn image(files: Files) -> Result<Vec<u8>, IsoCreationError> {
    let mut root = Folder::default();
    for (path, contents) in files {
        root.put(&path, contents);
    }
    let features = CreationFeatures {
        filenames: BaseIsoLevel::Level1 { supports_lowercase: false, supports_rrip: true },
        joliet: Some(JolietLevel::Level3),
        rock_ridge: Some(RripOptions::default()),
        ..CreationFeatures::default()
    };
    let options = IsoFormatOptions {
        volume_name: LABEL.to_owned(),
        system_id: None,
        volume_set_id: None,
        publisher_id: Some("CUTTLE".to_owned()),
        preparer_id: None,
        application_id: None,
        sector_size: SECTOR_BYTES,
        features,
        path_separator: PathSeparator::ForwardSlash,
        strict_charset: false,
    };
    let input = InputFiles { path_separator: PathSeparator::ForwardSlash, files: root.into_input() };
    let mut bytes = IsoImageWriter::create(Cursor::new(Vec::new()), input, options)?.into_inner();
    // Whatever the writer has behind the volume's end is no part of it.
    if let Some(volume) = volume_bytes(&bytes) {
        bytes.truncate(volume);
    }
    Ok(bytes)
}

fn volume_bytes(bytes: &[u8]) -> Option<usize> {
    let sectors = bytes.get(VOLUME_SECTORS_AT..VOLUME_SECTORS_AT + 4)?;
    let sectors = u32::from_le_bytes(sectors.try_into().ok()?);
    usize::try_from(sectors).ok()?.checked_mul(SECTOR_BYTES)
}

impl Folder {
    fn put(&mut self, path: &str, contents: Vec<u8>) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().put(rest, contents),
            None => drop(self.files.insert(path.to_owned(), contents)),
        }
    }

    fn into_input(self) -> Vec<File> {
        let folders = self
            .folders
            .into_iter()
            .map(|(name, folder)| File::Directory { name: Arc::new(name), children: folder.into_input() });
        let files = self.files.into_iter().map(|(name, contents)| File::File { name: Arc::new(name), contents });
        folders.chain(files).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn xorriso_reads_back_what_was_written() {
        let files: Files = [
            ("openstack/latest/meta_data.json", b"{}".to_vec()),
            ("openstack/2018-08-27/vendor_data2.json", b"{\"static\": {}}".to_vec()),
            ("openstack/latest/user_data", (0..70_000_u32).map(|n| n as u8).collect()),
            ("ec2/latest/user-data", Vec::new()),
        ]
        .map(|(path, contents)| (path.to_owned(), contents))
        .into();
        let folder = tempfile::tempdir().unwrap();
        let iso = folder.path().join("drive.iso");
        let bytes = image(files.clone()).unwrap();
        assert_eq!(bytes.len() % SECTOR_BYTES, 0);
        std::fs::write(&iso, bytes).unwrap();
        let out = folder.path().join("out");
        let mut xorriso = Command::new("xorriso");
        let read = xorriso.args(["-osirrox", "on", "-indev"]).arg(&iso).arg("-extract").arg("/").arg(&out).output();
        let read = read.expect("xorriso, which this test compares with, can be started");
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert!(read.status.success(), "{said}");
        assert!(said.contains("Volume id    : 'config-2'"), "{said}");
        for (path, contents) in files {
            assert_eq!(std::fs::read(out.join(&path)).unwrap(), contents, "{path}");
        }
    }
}
