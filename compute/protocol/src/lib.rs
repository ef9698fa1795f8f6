//! What the control plane and a host's agent say to each other.
//!
//! The agent dials out and holds one HTTP/2 connection. Over it the control plane streams
//! [`Command`]s, and the agent sends [`Hello`], [`Beat`]s and [`Report`]s.
//!
//! Always true:
//! - A command is delivered at least once, so an agent does it safely twice.
//! - A command names an instance and an epoch. An agent that has seen a newer epoch refuses it.
//! - A guest is created paused and resumed only by [`Action::ResumeGuest`], which the control plane
//!   sends after it has recorded every client that may write.
//! - No message carries a key but [`Welcome`], and none a token but [`Join`].
//! - Both sides show certificates of Cuttle's own authority; only [`Join`] comes without one.

mod command;
mod guest;
mod inventory;
mod join;
mod liveness;
mod storage;

pub use command::{Action, Command, Outcome, Refusal, Report, ShutdownMode};
pub use guest::{CephConnection, GuestDisk, GuestSpec, MonitorAddress};
pub use inventory::{HeldSecret, Inventory};
pub use join::{BadJoinToken, Join, JoinToken, Joined, Renew};
pub use liveness::{AgentNumbers, Beat, BeatAnswer, CephIdentity, GuestState, Hello, Welcome};
pub use storage::{HEALTH_NAMESPACE, HEALTH_OBJECTS, MeasuredPool, Measuring, PoolAccess, Standing, health_object};

use uuid::Uuid;

/// The protocol's version; agent and control plane refuse to talk when theirs differ.
pub const VERSION: u32 = 4;

/// Paths on the agents' listener.
pub mod path {
    /// `POST` [`super::Join`], answered by [`super::Joined`]: the only one without a certificate.
    pub const JOIN: &str = "/agent/v1/join";
    /// `POST` [`super::Renew`], answered by [`super::Joined`].
    pub const CERTIFICATE: &str = "/agent/v1/certificate";
    /// `POST` [`super::Hello`], answered by [`super::Welcome`].
    pub const HELLO: &str = "/agent/v1/hello";
    /// `POST` [`super::Beat`], answered by [`super::BeatAnswer`].
    pub const BEAT: &str = "/agent/v1/beat";
    /// `GET`: an endless stream of [`super::Command`]s, one JSON object a line; empty lines keep it alive.
    pub const COMMANDS: &str = "/agent/v1/commands";
    /// `POST` [`super::Report`], answered by an empty object once it is stored.
    pub const REPORTS: &str = "/agent/v1/reports";
    /// `POST` a list of [`super::GuestState`], as soon as guests change by themselves.
    pub const GUESTS: &str = "/agent/v1/guests";
}

/// The UUID of the libvirt secret that holds a Ceph client's key: the same on each start, and known
/// without asking anybody.
pub fn secret_uuid(cluster_fsid: Uuid, ceph_client: &str) -> Uuid {
    Uuid::new_v5(&cluster_fsid, ceph_client.as_bytes())
}

/// What libvirt calls the usage of that secret: unique among all secrets of a host, and ours by its first word.
pub fn secret_usage(cluster_fsid: Uuid, ceph_client: &str) -> String {
    format!("{SECRET_USAGE}/{cluster_fsid}/{ceph_client}")
}

/// Cluster and client of a secret with this usage; `None` for one that is not ours.
pub fn secret_of_usage(usage: &str) -> Option<(Uuid, &str)> {
    let (fsid, client) = usage.strip_prefix(SECRET_USAGE)?.strip_prefix('/')?.split_once('/')?;
    Some((fsid.parse().ok()?, client))
}

const SECRET_USAGE: &str = "cuttle";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_ours_is_known_by_its_usage() {
        let fsid = Uuid::from_u128(7);
        let usage = secret_usage(fsid, "client.cuttle.host1.1");
        assert_eq!(secret_of_usage(&usage), Some((fsid, "client.cuttle.host1.1")));
        for foreign in ["", "client.nova secret", "cuttle/x/client.cuttle.host1.1", "cuttles/a/b", "cuttle"] {
            assert_eq!(secret_of_usage(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_secret_depends_on_cluster_and_client_and_on_nothing_else() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(secret_uuid(one, "client.cuttle.host1.1"), secret_uuid(one, "client.cuttle.host1.1"));
        assert_ne!(secret_uuid(one, "client.cuttle.host1.1"), secret_uuid(two, "client.cuttle.host1.1"));
        assert_ne!(secret_uuid(one, "client.cuttle.host1.1"), secret_uuid(one, "client.cuttle.host1.2"));
    }
}
