//! `cuttle operation`: what is being done in the cloud, what was done, and how far it is.

mod cancel;
mod changes;
mod list;
mod screen;
pub(crate) mod show;
mod watch;
pub mod wire;

use clap::{Args, Subcommand};

use crate::session::Session;
use crate::{Done, Error};

pub use show::timeline;

#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// List operations, the newest first.
    List(Filter),
    /// Show an operation with its steps.
    Show {
        /// The operation's id.
        id: String,
    },
    /// Follow an operation until it ends, or, without an id, all of them until interrupted.
    Watch {
        /// The operation's id.
        id: Option<String>,
    },
    /// Ask a running operation to stop where it is and undo what it did.
    Cancel {
        /// The operation's id.
        id: String,
    },
}

#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only those that have not ended.
    #[arg(long, conflicts_with = "status")]
    pub open: bool,
    /// Only in this status: waiting, running, undoing, succeeded, undone or parked. May be repeated.
    #[arg(long)]
    pub status: Vec<String>,
    /// Only of this kind, such as create_instance. May be repeated.
    #[arg(long)]
    pub kind: Vec<String>,
    /// Only on this instance.
    #[arg(long, value_name = "ID", conflicts_with = "image")]
    pub instance: Option<String>,
    /// Only on this image.
    #[arg(long, value_name = "ID")]
    pub image: Option<String>,
    /// Only of this project.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Only those that this request has caused.
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// At the most so many.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Begin after this operation: the last one of the page before.
    #[arg(long, value_name = "ID")]
    pub marker: Option<String>,
}

/// Follows an operation to its end.
pub(crate) async fn watch(session: &Session, id: &str) -> Result<Done, Error> {
    watch::run(session, Some(id)).await
}

/// Carries out a verb.
pub async fn run(session: &Session, command: OperationCommand) -> Result<Done, Error> {
    match command {
        OperationCommand::List(filter) => list::run(session, filter).await,
        OperationCommand::Show { id } => show::run(session, &id).await,
        OperationCommand::Watch { id } => watch::run(session, id.as_deref()).await,
        OperationCommand::Cancel { id } => cancel::run(session, &id).await,
    }
}
