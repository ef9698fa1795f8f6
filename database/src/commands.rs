//! Commands to agents: durable first, delivered afterwards.

use async_trait::async_trait;
use cuttle_compute_protocol::{Command, Report};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{CommandId, HostId};

use crate::Result;

/// Commands and what was reported of them.
#[async_trait]
pub trait Commands {
    /// Stores a command for a host and announces it ([`crate::Event::Command`]). Storing it again
    /// changes nothing.
    async fn insert_command(&self, host: HostId, command: &Command) -> Result<()>;

    /// The commands that a host has not reported on and that were not withdrawn, oldest first.
    async fn pending_commands(&self, host: HostId) -> Result<Vec<Command>>;

    /// Stores what a host reports, and announces it ([`crate::Event::Report`]). The first report stands.
    async fn store_report(&self, host: HostId, report: &Report, now: Timestamp) -> Result<ReportStored>;

    /// What was reported of a command.
    async fn get_report(&self, command: CommandId) -> Result<Option<Report>>;

    /// Withdraws a command: it is not delivered any more. One that was reported on stays as it is.
    async fn withdraw_command(&self, command: CommandId) -> Result<()>;

    /// Removes commands that were reported on before this time, and withdrawn ones that were not to be
    /// begun after a time before it; answers how many.
    async fn purge_commands(&self, before: Timestamp) -> Result<u64>;
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStored {
    Stored,
    /// It was reported before.
    Known,
    /// This host was never given such a command, or not for this instance and epoch.
    NoSuchCommand,
}
