//! `cuttle`, the operator's command. It speaks HTTP to `/operator/v1` and knows nothing else of the
//! cloud: no Ceph, no libvirt, no database, none of the control plane's types.
//!
//! ```text
//! arguments   the command line           auth/      whose cloud, which user, a token, the catalog
//! client      requests and refusals      output     tables and JSON
//! host/ …     a directory for each noun, a file for each verb, wire.rs is how it comes from the API
//! ```
//!
//! Always true: a secret comes from a file, the environment or a prompt, never from an argument, and is
//! in no message. With `--json` the standard output holds JSON and nothing else.

pub mod arguments;
pub mod auth;
pub mod client;
pub mod completions;
pub mod doctor;
pub mod error;
pub mod host;
pub mod instance;
pub mod operation;
pub mod output;
pub mod placement;
pub mod reconcile;
#[cfg(test)]
mod reference;
pub mod session;
pub mod time;

pub use error::Error;

use arguments::{Arguments, Command};
use session::Session;

/// How a command that worked has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// As asked.
    Well,
    /// It was found out that something is not as it should be.
    Finding,
}

impl Done {
    /// The exit code; those of failures are [`Error::exit_code`]'s.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Finding => 7,
        }
    }
}

/// Carries a command out.
pub fn run(arguments: Arguments) -> Result<Done, Error> {
    let Arguments { cloud, json, command } = arguments;
    // One connection at a time is all that any command needs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    runtime.block_on(async {
        let open = || Session::open(&cloud, json);
        match command {
            Command::Host(command) => host::run(&open().await?, command).await,
            Command::Instance(command) => instance::run(&open().await?, command).await,
            Command::Operation(command) => operation::run(&open().await?, command).await,
            Command::Placement(command) => placement::run(&open().await?, command).await,
            Command::Doctor => doctor::run(&open().await?).await,
            Command::Reconcile(arguments) => reconcile::run(&open().await?, arguments).await,
            Command::Completions { shell } => completions::run(shell),
        }
    })
}
