//! The lab, through its own command.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

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

    /// Runs a verb of the lab with this on its standard input, where no list of processes shows it.
    pub fn feed(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(&self.command);
        command.arg("--name").arg(&self.name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("./lab can be started");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the command reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("the command ends");
        assert!(output.status.success(), "./lab {arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where the lab keeps all that is its own.
    pub fn directory(&self) -> PathBuf {
        let run = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../run"));
        if self.name == "lab" { run } else { run.join(&self.name) }
    }

    /// A log of the lab, such as `control1-api`.
    pub fn log(&self, name: &str) -> String {
        let path = self.directory().join("log").join(format!("{name}.log"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A program of ours that the lab runs.
    pub fn binary(&self, name: &str) -> String {
        let state = std::fs::read_to_string(self.directory().join("state.json")).expect("the lab's state");
        let state: serde_json::Value = serde_json::from_str(&state).expect("the lab's state is JSON");
        let text = |key: &str| state[key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}/{name}", text("target"), text("profile"))
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
