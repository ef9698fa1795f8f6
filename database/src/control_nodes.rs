//! Control nodes: who is one, and who is one no more.
//!
//! ```text
//! insert ──► seen, again and again ──► delete (it left in an orderly way)
//!               │
//!               ▼ its leases ran out
//!            condemned ──► fenced ──► what it worked on is taken over
//! ```
//! A node that is condemned keeps no lease, even if it wakes up at that very moment: it comes back as another node.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::ControlNodeId;
use cuttle_model::operation::ControlNode;

use crate::Result;

/// The control nodes.
#[async_trait]
pub trait ControlNodes {
    /// A node has started. Before it takes any lease.
    async fn insert_node(&self, node: &ControlNode) -> Result<()>;

    /// A node is alive. False: it is condemned, or forgotten, and may not go on under this id.
    async fn node_seen(&self, id: ControlNodeId, now: Timestamp) -> Result<bool>;

    /// Condemns every node but `except` that holds a lease whose time is over at `now`, and answers all that are condemned
    /// and not fenced yet: they are to be fenced, also where whoever condemned them has died over it.
    async fn condemn_nodes(&self, except: ControlNodeId, now: Timestamp) -> Result<Vec<ControlNode>>;

    /// Nothing of this node reaches Ceph any more.
    async fn node_fenced(&self, id: ControlNodeId, now: Timestamp) -> Result<()>;

    /// A node has left in an orderly way, or is forgotten.
    async fn delete_node(&self, id: ControlNodeId) -> Result<()>;

    /// All nodes that are kept, the newest first.
    async fn list_nodes(&self) -> Result<Vec<ControlNode>>;

    /// Forgets nodes that were not heard of since and hold no lease; answers how many.
    async fn purge_nodes(&self, seen_before: Timestamp) -> Result<u64>;
}
