//! How an agent introduces itself and shows that it lives.

use cuttle_model::clock::Timestamp;
use cuttle_model::crush::CrushLocation;
use cuttle_model::host::{HostName, HostResources};
use cuttle_model::host_event::HostEvent;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::PowerState;
use cuttle_model::storage_health::StorageHealth;
use serde::{Deserialize, Serialize};

use crate::guest::CephConnection;
use crate::storage::{Measuring, Standing};

/// The agent's first words on each connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::VERSION`] of the agent.
    pub protocol: u32,
    pub host: HostName,
    /// Identifies this run of the host's kernel.
    pub boot_id: String,
    pub resources: HostResources,
    /// Every guest that the agent found.
    pub guests: Vec<GuestState>,
    /// The Ceph clients that this host uses: the agent's for what it starts next, and each guest's.
    pub ceph_clients: Vec<String>,
    /// The Ceph client that the host's configuration names, if it does: no other is wanted then.
    pub configured_ceph_client: Option<String>,
    /// Where the host stands, as its configuration says.
    pub standing: Standing,
    /// What the host's clock says.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
}

/// The answer to [`Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    pub host_id: HostId,
    pub ceph: CephConnection,
    /// What guests that are started next use; `None` where the host's configuration names another.
    pub identity: Option<CephIdentity>,
    /// Milliseconds between beats.
    pub beat_interval_ms: u64,
    /// Guests that this host no longer owns: to be destroyed. Their disks are not the agent's business.
    pub disowned: Vec<InstanceId>,
    /// Where the host stands in CRUSH; `None`: it is not known.
    pub crush_location: Option<CrushLocation>,
    /// What of storage is to be measured.
    pub measuring: Measuring,
}

/// The host's own Ceph client. Its key lives in memory and in libvirt's private secret only.
#[derive(Clone, Serialize, Deserialize)]
pub struct CephIdentity {
    /// `client.cuttle.host1.1`.
    pub client: String,
    /// The key, in base64 as Ceph writes it.
    pub key: String,
}

impl std::fmt::Debug for CephIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CephIdentity").field("client", &self.client).field("key", &"[hidden]").finish()
    }
}

/// Sent each beat interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Counts up from 1 on each connection.
    pub sequence: u64,
    /// Milliseconds that the agent's last call of libvirt took; a slow host is seen here.
    pub libvirt_ms: u64,
    /// The Ceph client that guests which are started next use.
    pub ceph_client: Option<String>,
    /// What has happened that operators should hear of. Told again until the beat is answered.
    pub events: Vec<HostEvent>,
    /// How well the host reaches storage: when that has changed, and now and then.
    pub storage: Option<StorageHealth>,
    /// What the host's clock says.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    #[serde(default)]
    pub numbers: AgentNumbers,
}

/// What an agent counts, for the control node's metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNumbers {
    /// Guests that have a process.
    pub guests: u64,
    /// Commands that are carried out or wait for their turn.
    pub commands: u64,
    /// Reports that the control plane has not taken.
    pub reports: u64,
    /// Memory of the agent's process, in bytes.
    pub resident_bytes: u64,
}

/// The answer to [`Beat`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatAnswer {
    /// Monitors move; guests that are started next are given these.
    pub ceph: CephConnection,
    /// The control plane does not know this connection: say hello again.
    pub say_hello: bool,
    /// As in [`Welcome`]: the CRUSH map may change. `None`: nothing new is known.
    pub crush_location: Option<CrushLocation>,
}

/// What an agent knows of one guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestState {
    pub instance_id: InstanceId,
    /// The epoch in which it was created.
    pub epoch: Epoch,
    pub power: PowerState,
}
