//! Every id of Cuttle, each a type of its own, so that a host's id is never taken for an instance's.
//!
//! An id is written as OpenStack writes that kind of id: with dashes for compute and image
//! resources, as 32 hex digits for identity's. Both forms are read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Where new ids come from. Tests and simulations hand in a seeded source.
pub trait Ids: Send + Sync {
    /// A UUID that was never handed out before.
    fn uuid(&self) -> Uuid;
}

/// Ids from the operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {kind} id")]
pub struct BadId {
    /// What kind of id was expected.
    pub kind: &'static str,
    /// What was given.
    pub text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($kind:literal, $form:ident);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from `ids`.
            pub fn new(ids: &dyn Ids) -> Self {
                Self(ids.uuid())
            }

            /// The id with this value.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id's value.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.$form().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Reads the dashed form and the 32 hex digits, in either case, and nothing else
            /// (no braces, no `urn:uuid:`).
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { kind: $kind, text: text.chars().take(64).collect() };
                if !matches!(text.len(), 32 | 36) {
                    return Err(bad());
                }
                Uuid::try_parse(text).map(Self).map_err(|_| bad())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// An instance: a virtual machine, "server" on the wire.
    InstanceId("instance", hyphenated);
    /// An image from which instances are cloned.
    ImageId("image", hyphenated);
    /// A compute host.
    HostId("host", hyphenated);
    /// A host aggregate.
    AggregateId("aggregate", hyphenated);
    /// A server group.
    ServerGroupId("server group", hyphenated);
    /// One run of an operation.
    OperationId("operation", hyphenated);
    /// One move of one instance.
    MigrationId("migration", hyphenated);
    /// One command to one host's agent.
    CommandId("command", hyphenated);
    /// A running process of the control plane; a new one at every start.
    ControlNodeId("control node", hyphenated);
    /// A project (tenant).
    ProjectId("project", simple);
    /// A user.
    UserId("user", simple);
    /// A role.
    RoleId("role", simple);
    /// An application credential.
    ApplicationCredentialId("application credential", simple);
    /// A domain of identity; see [`crate::identity::DEFAULT_DOMAIN`] for how the default one is written.
    DomainId("domain", simple);
}

/// The id of one API request, as OpenStack writes it: `req-` and a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// A new id from `ids`.
    pub fn new(ids: &dyn Ids) -> Self {
        Self(format!("req-{}", ids.uuid()))
    }

    /// The id that was stored.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `req-…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How often an instance was given a new place or chance to run. It only grows; a command, a report
/// or a permission of an older epoch is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    /// Before the first start.
    pub const NONE: Epoch = Epoch(0);

    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_each_kind_has_its_own_form() {
        let dashed = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";
        let simple = "8c1f0d0e29e94c7b9f390d8f9c1d2a3b";
        for text in [dashed, simple] {
            assert_eq!(text.parse::<InstanceId>().unwrap().to_string(), dashed);
            assert_eq!(text.parse::<ProjectId>().unwrap().to_string(), simple);
        }
    }

    #[test]
    fn other_spellings_are_refused_with_the_kind() {
        for text in ["", "x", "{8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b}", "urn:uuid:8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b"] {
            let error = text.parse::<InstanceId>().unwrap_err();
            assert!(error.to_string().contains("instance id"), "{error}");
        }
    }
}
