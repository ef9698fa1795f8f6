//! The unmodified `openstack` client in one process, which costs its long start once for many commands.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The client; its process goes with this value.
pub struct OpenStack {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[allow(clippy::new_without_default)]
impl OpenStack {
    pub fn new() -> Self {
        let openstack = std::env::var("CUTTLE_OPENSTACK").unwrap_or_else(|_| "openstack".to_owned());
        // The interpreter that the client was installed for stands beside it.
        let python = match Path::new(&openstack).parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => folder.join("python"),
            None => "python3".into(),
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/openstack_commands.py");
        let mut process =
            Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client");
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output }
    }

    /// The exit status and what was printed; of a success only what went to the standard output.
    pub fn try_run(&mut self, arguments: &[&str]) -> (i64, String) {
        writeln!(self.input, "{}", json!(arguments)).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("openstack {arguments:?}: {error} {line}"));
        let said = format!("{}{}", answer["stdout"].as_str().unwrap(), answer["stderr"].as_str().unwrap());
        (answer["status"].as_i64().unwrap(), if answer["status"] == 0 { answer["stdout"].as_str().unwrap().into() } else { said })
    }

    /// What a command that succeeds prints.
    pub fn run(&mut self, arguments: &[&str]) -> String {
        let (status, said) = self.try_run(arguments);
        assert_eq!(status, 0, "openstack {arguments:?}\n{said}");
        said
    }

    /// As [`Self::run`], of a command that can print JSON.
    pub fn json(&mut self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["-f", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("openstack {arguments:?}: {error}\n{text}"))
    }
}

impl Drop for OpenStack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
