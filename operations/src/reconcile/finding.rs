//! What a reconciler can find, and what an operator does about each kind of it.

use serde::Serialize;

/// The kinds of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An RBD image names an owner that does not have it.
    Orphan,
    /// An RBD image names an owner that this database does not know.
    UnknownOwner,
    /// A row names an RBD image that is nowhere.
    MissingDisk,
    /// A row names an RBD image that is in the trash.
    TrashedDisk,
    /// An image that instances can be made from has no data.
    MissingImageData,
    /// A disk has another name than its row says.
    MisnamedDisk,
    /// Something of ours is in the trash for longer than it should be.
    OverdueTrash,
    /// A client has a disk open that no row records.
    UnrecordedClient,
    /// A cephx identity of ours that no host has.
    UnneededUser,
    /// A claim that no instance is for.
    ClaimWithoutInstance,
    /// An instance on a host that has no claim there.
    InstanceWithoutClaim,
    /// A guest runs that no row wants to run there.
    UnknownGuest,
    /// An instance should run, and its host has no guest of it.
    MissingGuest,
    /// libvirt holds a secret of ours that nothing uses.
    UnneededSecret,
    /// A host was asked to do something and never said what came of it.
    OverdueCommand,
    /// An operation that nobody carries on.
    StuckOperation,
    /// An instance on which something is said to be done, and is not.
    IdleTask,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Orphan,
        Self::UnknownOwner,
        Self::MissingDisk,
        Self::TrashedDisk,
        Self::MissingImageData,
        Self::MisnamedDisk,
        Self::OverdueTrash,
        Self::UnrecordedClient,
        Self::UnneededUser,
        Self::ClaimWithoutInstance,
        Self::InstanceWithoutClaim,
        Self::UnknownGuest,
        Self::MissingGuest,
        Self::UnneededSecret,
        Self::OverdueCommand,
        Self::StuckOperation,
        Self::IdleTask,
    ];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orphan => "orphan",
            Self::UnknownOwner => "unknown_owner",
            Self::MissingDisk => "missing_disk",
            Self::TrashedDisk => "trashed_disk",
            Self::MissingImageData => "missing_image_data",
            Self::MisnamedDisk => "misnamed_disk",
            Self::OverdueTrash => "overdue_trash",
            Self::UnrecordedClient => "unrecorded_client",
            Self::UnneededUser => "unneeded_user",
            Self::ClaimWithoutInstance => "claim_without_instance",
            Self::InstanceWithoutClaim => "instance_without_claim",
            Self::UnknownGuest => "unknown_guest",
            Self::MissingGuest => "missing_guest",
            Self::UnneededSecret => "unneeded_secret",
            Self::OverdueCommand => "overdue_command",
            Self::StuckOperation => "stuck_operation",
            Self::IdleTask => "idle_task",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Orphan => "'cuttle reconcile' without --dry-run moves it to the trash, from where it can be restored",
            Self::UnknownOwner => {
                "it is of another cloud on the same pool, or its rows are lost; it is never touched. If it is yours, trash it by \
                 'rbd trash mv'"
            }
            Self::MissingDisk => {
                "the data is gone from the pool: restore it from a backup under this id's name, or delete the instance"
            }
            Self::TrashedDisk => "somebody moved it there by hand: 'rbd trash restore' brings it back before it is purged",
            Self::MissingImageData => "delete the image and upload it again",
            Self::MisnamedDisk => "rename it by 'rbd rename' while the instance is stopped; its guest is started by the name",
            Self::OverdueTrash => "the log of cuttle-api says why it cannot be purged",
            Self::UnrecordedClient => "find out what runs at that address; two writers destroy a disk",
            Self::UnneededUser => "'ceph auth rm' removes it",
            Self::ClaimWithoutInstance | Self::InstanceWithoutClaim => {
                "the host's account is wrong by one instance; delete the instance, or report a defect of Cuttle"
            }
            Self::UnknownGuest => "look at it by 'virsh dominfo' on that host; if nobody needs it, 'virsh destroy' ends it",
            Self::MissingGuest => "start the instance; its agent's log says what became of the guest",
            Self::UnneededSecret => "'virsh secret-undefine' on that host removes it",
            Self::OverdueCommand => "the agent of that host is down or stuck: restart it",
            Self::StuckOperation => {
                "its message says why; when that is mended, delete the instance, or report a defect of Cuttle"
            }
            Self::IdleTask => "report a defect of Cuttle; deleting the instance works",
        }
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// The id or name of what it is about.
    pub subject: String,
    /// The pool or the host where it is.
    pub place: Option<String>,
    /// One sentence.
    pub message: String,
    /// What was done about it.
    pub action: Option<String>,
}

impl Finding {
    pub(super) fn new(kind: Kind, subject: impl ToString, place: Option<&str>, message: impl Into<String>) -> Self {
        Self { kind, subject: subject.to_string(), place: place.map(str::to_owned), message: message.into(), action: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
