//! The lab, through its own command.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The lab that is up.
#[derive(Debug, Clone)]
pub struct Lab {
    command: PathBuf,
    name: String,
}

impl Lab {
    /// The lab that the environment names.
    pub fn from_env() -> Self {
        let command = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../lab"));
        let name = std::env::var("CUTTLE_LAB_NAME")
            .unwrap_or_else(|_| panic!("CUTTLE_LAB_NAME is not set: start a lab with ./lab up, then eval \"$(./lab env)\""));
        Self { command, name }
    }

    /// Runs a verb of the lab; panics with its output if it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "./lab {arguments:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a verb of the lab, whatever comes of it.
    pub fn try_run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.command).arg("--name").arg(&self.name).args(arguments).output().expect("./lab can be started")
    }

    /// What `rbd` says.
    pub fn rbd(&self, arguments: &[&str]) -> String {
        self.run(&[&["exec", "ceph", "--", "rbd"], arguments].concat())
    }

    /// What `virsh` says on a host, such as `1`.
    pub fn virsh(&self, host: &str, arguments: &[&str]) -> String {
        self.run(&[&["exec", host, "--", "virsh", "-q"], arguments].concat())
    }

    /// The number of a host from its name: `host2` is `2`.
    pub fn number(host: &str) -> String {
        host.trim_start_matches("host").to_owned()
    }

    /// The names of the images in a pool, without those in the trash.
    pub fn images(&self, pool: &str) -> Vec<String> {
        self.rbd(&["ls", pool]).lines().map(str::to_owned).collect()
    }
}
