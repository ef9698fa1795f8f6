//! What guests' librbd is told of this host: where it stands in CRUSH, and to read from the nearest replica.
//!
//! QEMU reads it when a disk is opened (`conf=`, by the domain's `<config file=…>`), in the place of `/etc/ceph/ceph.conf`.
//! Always true: there is nothing secret in it, so that QEMU's user may read it; it is either the old or the new one; and
//! a guest is told of it only after it was written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuttle_model::crush::CrushLocation;

use crate::state_dir;

/// The file.
pub struct LibrbdConf {
    /// `None`: reads are not to be localized.
    path: Option<PathBuf>,
    written: Mutex<Option<CrushLocation>>,
}

impl LibrbdConf {
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, written: Mutex::new(None) }
    }

    /// Writes where the host stands, if that has changed.
    pub fn follow(&self, location: &CrushLocation) {
        let Some(path) = &self.path else { return };
        let mut written = self.written();
        if written.as_ref() == Some(location) {
            return;
        }
        *written = Some(location.clone());
        match write(path, location) {
            Ok(()) => {
                tracing::info!(%location, file = %path.display(), "guests that are started now read from the nearest replica")
            }
            Err(error) => {
                *written = None;
                tracing::warn!(file = %path.display(), %error, "cannot write where this host stands: guests are started without it");
            }
        }
    }

    /// The file for guests that are started now.
    pub fn path(&self) -> Option<PathBuf> {
        self.path.clone().filter(|_| self.written().is_some())
    }

    fn written(&self) -> MutexGuard<'_, Option<CrushLocation>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(path: &Path, location: &CrushLocation) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = format!(
        "# Written by cuttle-compute, and again when the host's place in CRUSH changes. No secrets.\n\
         [client]\ncrush_location = {location}\nrbd_read_from_replica_policy = localize\n"
    );
    state_dir::replace_file_for(path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn guests_are_told_once_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ceph/cuttle.conf");
        let conf = LibrbdConf::new(Some(path.clone()));
        assert_eq!(conf.path(), None);
        conf.follow(&"root=default rack=rack1".parse().unwrap());
        conf.follow(&"root=default rack=rack2".parse().unwrap());
        assert_eq!(conf.path(), Some(path.clone()));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\n[client]\ncrush_location = root=default rack=rack2\nrbd_read_from_replica_policy = localize\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn what_cannot_be_written_or_is_not_wanted_is_not_named() {
        let location: CrushLocation = "rack=rack2".parse().unwrap();
        let conf = LibrbdConf::new(Some("/proc/nowhere/cuttle.conf".into()));
        conf.follow(&location);
        assert_eq!(conf.path(), None);
        let conf = LibrbdConf::new(None);
        conf.follow(&location);
        assert_eq!(conf.path(), None);
    }
}
