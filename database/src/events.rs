//! What has just been committed, for whoever waits for it: PostgreSQL's notifications, or, where one
//! process owns the database, a channel.
//!
//! An event says where to look and may be lost (a connection breaks, a receiver lags): who waits looks
//! first, then waits, and looks again when [`Event::Resync`] comes. A receiver that lags
//! ([`broadcast::error::RecvError::Lagged`]) has lost events as well: that is a resync too.

use cuttle_model::ids::{CommandId, HostId, OperationId, ProjectId, UserId};
use tokio::sync::broadcast;

/// Something was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A command for this host.
    Command(HostId),
    /// A report of this command.
    Report(CommandId),
    /// This operation has begun or ended a step, or got on in a long one. For those who look on.
    Progress(OperationId),
    /// This operation was asked to stop.
    Cancelled(OperationId),
    /// This host may show other certificates, is to use another key, or is gone.
    Host(HostId),
    /// This operation has ended.
    Ended(OperationId),
    /// This operation may begin: what it waited for has ended.
    Ready(OperationId),
    /// What tokens of this user grant may have changed.
    UserChanged(UserId),
    /// What tokens for this project grant may have changed.
    ProjectChanged(ProjectId),
    /// Events may have been lost: look at everything again.
    Resync,
}

/// Where events come from.
pub trait Events {
    /// Every event from now on.
    fn events(&self) -> broadcast::Receiver<Event>;
}

/// Events that a receiver may be behind before it loses some.
pub(crate) const BACKLOG: usize = 4096;

impl Event {
    /// The event as PostgreSQL carries it, in one word.
    pub(crate) fn to_word(self) -> String {
        match self {
            Event::Command(id) => format!("command:{id}"),
            Event::Report(id) => format!("report:{id}"),
            Event::Progress(id) => format!("progress:{id}"),
            Event::Cancelled(id) => format!("cancelled:{id}"),
            Event::Host(id) => format!("host:{id}"),
            Event::Ended(id) => format!("ended:{id}"),
            Event::Ready(id) => format!("ready:{id}"),
            Event::UserChanged(id) => format!("user:{id}"),
            Event::ProjectChanged(id) => format!("project:{id}"),
            Event::Resync => "resync:".to_owned(),
        }
    }

    /// The event of that word. What is not understood may have been anything.
    pub(crate) fn from_word(word: &str) -> Self {
        let read = || match word.split_once(':')? {
            ("command", id) => id.parse().ok().map(Event::Command),
            ("report", id) => id.parse().ok().map(Event::Report),
            ("progress", id) => id.parse().ok().map(Event::Progress),
            ("cancelled", id) => id.parse().ok().map(Event::Cancelled),
            ("host", id) => id.parse().ok().map(Event::Host),
            ("ended", id) => id.parse().ok().map(Event::Ended),
            ("ready", id) => id.parse().ok().map(Event::Ready),
            ("user", id) => id.parse().ok().map(Event::UserChanged),
            ("project", id) => id.parse().ok().map(Event::ProjectChanged),
            _ => None,
        };
        read().unwrap_or(Event::Resync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let id = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";
        let (host, command, operation) = (id.parse().unwrap(), id.parse().unwrap(), id.parse().unwrap());
        let all = [
            Event::Command(host),
            Event::Report(command),
            Event::Progress(operation),
            Event::Cancelled(operation),
            Event::Host(host),
            Event::Ended(operation),
            Event::Ready(operation),
            Event::UserChanged(id.parse().unwrap()),
            Event::ProjectChanged(id.parse().unwrap()),
            Event::Resync,
        ];
        for event in all {
            assert_eq!(Event::from_word(&event.to_word()), event);
        }
        assert_eq!(Event::from_word("something of a newer version"), Event::Resync);
    }
}
