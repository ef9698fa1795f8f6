//! Why a request, an upload or an agent's message was turned down.

use cuttle_model::disk_limits::LimitError;
use cuttle_model::fault::Fault;
use cuttle_model::host::HostName;
use cuttle_model::image::ImageStatus;
use cuttle_model::instance::{StateName, Task};
use cuttle_model::machine::Request;
use cuttle_model::quota::Excess;

use crate::config_drive::DriveNeeded;

/// Why a request was not begun.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no such instance (any more).
    #[error("the instance does not exist")]
    NotFound,
    /// The instance's state does not allow it.
    #[error("cannot '{}' an instance in state {}{}", request.as_str(), state.as_str(), task_text(*task))]
    Conflict {
        state: StateName,
        task: Option<Task>,
        request: Request,
        /// What would be accepted now.
        allowed: Vec<Request>,
    },
    /// Another operation works on it.
    #[error("another operation is at work on it")]
    Busy,
    /// The image is not in a state that allows it.
    #[error("the image is {}", .0.as_str())]
    ImageStatus(ImageStatus),
    /// The image may not be deleted.
    #[error("the image is protected")]
    ImageProtected,
    /// It was begun, failed, and was undone.
    #[error("{0}")]
    Failed(Fault),
    /// The root disk that was asked for is smaller than the image.
    #[error("the flavor's disk is smaller than the image, which has {image_bytes} bytes")]
    DiskTooSmall { image_bytes: u64 },
    /// The project or its user would have too much.
    #[error("Quota exceeded for {}", quota_text(.0))]
    OverQuota(Vec<Excess>),
    /// The flavor asks for what no guest can be given.
    #[error("the flavor cannot be used: {0}")]
    BadFlavor(LimitError),
    /// What the guest shall be told can reach it only on a config drive, which the user does not want.
    #[error(transparent)]
    DriveNeeded(#[from] DriveNeeded),
    /// The flavor cannot be had by a resize.
    #[error("{0}")]
    BadResize(String),
    /// No host could take it; the text says why.
    #[error("{0}")]
    NoValidHost(String),
    /// The host that was asked for does not exist.
    #[error("Compute host {0} could not be found.")]
    NoSuchHost(HostName),
    /// The host that was asked for is the one where it is.
    #[error("The instance is on host {0} already.")]
    SameHost(HostName),
    /// The server group was deleted, or never was.
    #[error("the server group does not exist")]
    NoGroup,
    /// The instance was never made, so there is nothing to run.
    #[error("the instance has no disk to boot from")]
    NoDisk,
    /// The host's agent did not answer in time, or there is none.
    #[error("the instance's host does not answer")]
    HostSilent,
    /// The host's agent answered with a failure.
    #[error("the instance's host could not do it: {0}")]
    HostFailed(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}

fn task_text(task: Option<Task>) -> String {
    task.map_or_else(String::new, |task| format!(" ({} is going on)", task.as_str()))
}

/// Nova's words: which limits, what was asked for, what is used, and what is allowed.
fn quota_text(over: &[Excess]) -> String {
    let list = |text: &dyn Fn(&Excess) -> String| over.iter().map(text).collect::<Vec<_>>().join(", ");
    let names = list(&|excess| excess.resource.as_str().to_owned());
    let requested = list(&|excess| excess.requested.to_string());
    let used = list(&|excess| excess.used.to_string());
    let limits = list(&|excess| excess.limit.to_string());
    format!("{names}: Requested {requested}, but already used {used} of {limits} {names}")
}

/// Why an upload did not become an image.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    /// The image has, or is being given, its data.
    #[error("the image is {}", .0.as_str())]
    WrongStatus(ImageStatus),
    /// The client went away or its stream was malformed.
    #[error("the upload broke off after {received} bytes: {reason}")]
    Interrupted { received: u64, reason: String },
    /// The stream ended early or late.
    #[error("{expected} bytes were announced, {received} came")]
    WrongSize { expected: u64, received: u64 },
    /// Nothing came.
    #[error("the upload is empty")]
    Empty,
    /// More than may be.
    #[error("the upload is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The file is not what was declared, is broken, or is of a kind that is not taken.
    #[error("the upload is not taken: {0}")]
    BadFile(String),
    /// The image was deleted while its data came in.
    #[error("the image was deleted")]
    Deleted,
    /// Ceph failed.
    #[error("the image could not be stored: {0}")]
    Storage(String),
    /// The database failed.
    #[error("the image could not be recorded: {0}")]
    Database(String),
}

/// Why an agent's message was turned down.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A host of that name exists.
    #[error("a host named {0} exists")]
    Exists(HostName),
    /// There is no host of that name.
    #[error("there is no host named {0}")]
    NotFound(HostName),
    /// The agent speaks another version of the protocol.
    #[error("the agent speaks protocol {theirs}, this control node {ours}")]
    Protocol { theirs: u32, ours: u32 },
    /// The certificate is another host's.
    #[error("the certificate is that of host {certified}, not of {claimed}")]
    WrongHost { certified: HostName, claimed: HostName },
    /// Instances are on it.
    #[error("{count} instances are on host {host}, or may still write from there: {named}; delete or move them first")]
    InUse { host: HostName, count: u64, named: String },
    /// The host's configuration names a Ceph client.
    #[error("host {host} uses {client}, which its configuration names: it is not Cuttle's to rotate")]
    SharedIdentity { host: HostName, client: String },
    /// Somebody else began the next generation.
    #[error("the key of host {0} is being rotated already")]
    Rotating(HostName),
    /// Ceph failed.
    #[error(transparent)]
    Ceph(#[from] cuttle_rbd_backend::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}
