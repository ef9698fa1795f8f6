//! The agent's directory: what it keeps on disk, where, and how it is written.
//!
//! ```text
//! <state_dir>/epochs/<instance id>               what the agent promised about epochs
//! <state_dir>/instances/<instance id>/console.log  the serial console, written by virtlogd
//! <state_dir>/kvm-probe.json                     what the probe found in this run of the kernel
//! <state_dir>/probe/                             the probe's guest
//! <state_dir>/identity.json                      the host's key and certificate, for its owner alone
//! <state_dir>/joining.json                       the key of a host that joins, until it has
//! ```
//! Always true: a file of ours is either the old one or the new one, whenever the power fails. No key of
//! Ceph's is ever written here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cuttle_model::ids::InstanceId;

/// The directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Opens the directory, making what is missing. QEMU's user may pass through to the probe's guest,
    /// and may not look around.
    pub fn open(root: &Path) -> io::Result<Self> {
        let state = Self { root: root.to_owned() };
        for (directory, mode) in
            [(root.to_owned(), 0o711), (state.epochs(), 0o700), (root.join("instances"), 0o700), (state.probe(), 0o711)]
        {
            DirBuilder::new().recursive(true).mode(mode).create(&directory)?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode))?;
        }
        Ok(state)
    }

    /// Where promises about epochs are kept.
    pub fn epochs(&self) -> PathBuf {
        self.root.join("epochs")
    }

    /// What belongs to one instance.
    pub fn instance(&self, instance: InstanceId) -> PathBuf {
        self.root.join("instances").join(instance.to_string())
    }

    /// The log of an instance's serial console.
    pub fn console_log(&self, instance: InstanceId) -> PathBuf {
        self.instance(instance).join("console.log")
    }

    /// Makes an instance's directory.
    pub fn make_instance(&self, instance: InstanceId) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.instance(instance))
    }

    /// Removes what is kept of an instance, promises excepted.
    pub fn remove_instance(&self, instance: InstanceId) -> io::Result<()> {
        match fs::remove_dir_all(self.instance(instance)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where the probe's guest lies.
    pub fn probe(&self) -> PathBuf {
        self.root.join("probe")
    }

    /// The host's key and certificate.
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity.json")
    }

    /// The key of a host that joins.
    pub fn joining_key(&self) -> PathBuf {
        self.root.join("joining.json")
    }

    /// What the probe found.
    pub fn probe_result(&self) -> PathBuf {
        self.root.join("kvm-probe.json")
    }
}

/// Replaces a file so that after a crash it is either the old one or the new one, and, once this has
/// returned, the new one.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_file_for(path, content, 0o600)
}

/// As [`replace_file`], for others too.
pub fn replace_file_for(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a file without a directory"))?;
    let name = path.file_name().ok_or_else(|| io::Error::other("a file without a name"))?;
    let temporary = directory.join(format!(".{}.new", name.to_string_lossy()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    // One that was left behind has its own mode, and the umask takes from ours.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}
