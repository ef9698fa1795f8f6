//! `cuttle instance`: instances of all projects, as the operator sees them.

mod events;
pub(crate) mod find;
mod list;
mod show;
mod wire;

use clap::{Args, Subcommand};

use crate::session::Session;
use crate::{Done, Error};

#[derive(Debug, Subcommand)]
pub enum InstanceCommand {
    /// List instances of all projects, the newest first.
    List(Filter),
    /// Show an instance, its disk, and who may write to it.
    Show {
        /// Its id, or its name if no other instance has it.
        instance: String,
    },
    /// Show why an instance went where it did, or nowhere: what each filter removed, and the best hosts' weights.
    Why {
        /// Its id, or its name if no other instance has it.
        instance: String,
    },
    /// Show everything that was done to an instance: operations, their steps, how long each took.
    Events {
        /// Its id, or its name if no other instance has it.
        instance: String,
    },
}

#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only of this project.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Only on this host.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Only in this state, such as active, stopped or error; deleted ones too if asked for. May be repeated.
    #[arg(long)]
    pub state: Vec<String>,
    /// Only those whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Only those made from this image.
    #[arg(long, value_name = "ID")]
    pub image: Option<String>,
    /// At the most so many.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Begin after this instance: the last one of the page before.
    #[arg(long, value_name = "ID")]
    pub marker: Option<String>,
}

/// Carries out a verb.
pub async fn run(session: &Session, command: InstanceCommand) -> Result<Done, Error> {
    match command {
        InstanceCommand::List(filter) => list::run(session, filter).await,
        InstanceCommand::Show { instance } => show::run(session, &instance).await,
        InstanceCommand::Why { instance } => crate::placement::why(session, &instance).await,
        InstanceCommand::Events { instance } => events::run(session, &instance).await,
    }
}
