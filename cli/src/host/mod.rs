//! `cuttle host`: compute hosts.

mod administer;
mod drain;
mod events;
mod join;
mod list;
mod remove;
mod show;
mod wire;

use clap::Subcommand;

use crate::session::Session;
use crate::{Done, Error};

#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// List all hosts with what is claimed of them.
    List,
    /// Let a new host join: prints a token that works once.
    Add {
        /// The host's name.
        name: String,
    },
    /// Let a host join anew: its certificates are void as soon as the token is used.
    Rejoin {
        /// The host's name.
        name: String,
    },
    /// Show a host.
    Show {
        /// The host's name.
        name: String,
    },
    /// Say whether the loss of any one host could be absorbed by the others, by simulation.
    Free,
    /// Show what has happened to a host, its certificates, keys and secrets.
    Events {
        /// The host's name.
        name: String,
    },
    /// Take a host out of placement. Its instances run on.
    Disable {
        /// The host's name.
        name: String,
        /// Why, for those who look at it later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Put a host back into placement.
    Enable {
        /// The host's name.
        name: String,
    },
    /// Move all instances of a host elsewhere, and let none come. Those that are stopped move at once; those that cannot go
    /// are named.
    Drain {
        /// The host's name.
        name: String,
        /// Move so many at once.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=64))]
        parallel: Option<u32>,
        /// Shut guests that run down, and run them anew elsewhere.
        #[arg(long)]
        cold: bool,
        /// Do not wait for the end.
        #[arg(long)]
        detach: bool,
    },
    /// End a drain, and put the host back into placement. What has moved stays where it is.
    Undrain {
        /// The host's name.
        name: String,
    },
    /// Remove a host on which nothing is: its certificates, keys and tokens are void at once.
    Remove {
        /// The host's name.
        name: String,
    },
    /// Give a host its next cephx key. Its guests run on.
    RotateKey {
        /// The host's name.
        name: String,
    },
}

/// Carries out a verb.
pub async fn run(session: &Session, command: HostCommand) -> Result<Done, Error> {
    match command {
        HostCommand::Free => crate::placement::free(session).await,
        HostCommand::List => list::run(session).await,
        HostCommand::Add { name } => join::add(session, &name).await,
        HostCommand::Rejoin { name } => join::rejoin(session, &name).await,
        HostCommand::Events { name } => events::run(session, &name).await,
        HostCommand::Show { name } => show::run(session, &name).await,
        HostCommand::Disable { name, reason } => administer::disable(session, &name, reason).await,
        HostCommand::Drain { name, parallel, cold, detach } => drain::drain(session, &name, parallel, cold, detach).await,
        HostCommand::Undrain { name } => drain::undrain(session, &name).await,
        HostCommand::Remove { name } => remove::remove(session, &name).await,
        HostCommand::RotateKey { name } => remove::rotate_key(session, &name).await,
        HostCommand::Enable { name } => administer::enable(session, &name).await,
    }
}
