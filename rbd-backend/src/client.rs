//! The cluster's users (cephx): made, brought to the wanted rights, removed. Safe to repeat.

use crate::cluster::{Cluster, Inner};
use crate::error::{Attempt, Effect, Error};
use crate::monitor::{self, Answer};
use crate::sys::errno::Errno;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a user may do, in Ceph's own words, per kind of daemon. An empty text is no right at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCaps {
    pub mon: String,
    pub osd: String,
    pub mgr: String,
}

impl ClientCaps {
    /// Rights of a compute host: librbd's own profiles on just these pools.
    pub fn for_host<'a>(
        disk_pools: impl IntoIterator<Item = &'a str>,
        read_only_pools: impl IntoIterator<Item = &'a str>,
    ) -> ClientCaps {
        let disks: Vec<_> = disk_pools.into_iter().map(|pool| format!("profile rbd pool={pool}")).collect();
        let images = read_only_pools.into_iter().map(|pool| format!("profile rbd-read-only pool={pool}"));
        ClientCaps {
            mon: "profile rbd".into(),
            osd: disks.iter().cloned().chain(images).collect::<Vec<_>>().join(", "),
            mgr: disks.join(", "),
        }
    }

    /// `[kind, text, kind, text…]`, as the monitors take them.
    fn pairs(&self) -> Vec<&str> {
        [("mon", &self.mon), ("osd", &self.osd), ("mgr", &self.mgr)]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .flat_map(|(kind, text)| [kind, text.as_str()])
            .collect()
    }
}

#[derive(Deserialize)]
struct User {
    key: String,
}

/// Without the keys.
#[derive(Deserialize)]
struct Listed {
    auth_dump: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    entity: String,
}

impl Cluster {
    /// Makes the user or changes its rights to exactly `caps`, and returns its key.
    pub async fn ensure_client(&self, entity: &str, caps: &ClientCaps) -> Result<SecretString, Error> {
        let (entity, caps) = (entity.to_owned(), caps.clone());
        self.call(attempt("make user", Effect::Change, &entity), move |inner, attempt| {
            check_name(&entity, attempt)?;
            let pairs = caps.pairs();
            let create = json!({"prefix": "auth get-or-create", "entity": entity, "caps": pairs, "format": "json"});
            match get(inner, attempt, &create) {
                Ok(Some(key)) => Ok(key),
                Ok(None) => Err(attempt.broken("the monitors made the user and returned none")),
                // It is there with other rights.
                Err(error) if error.is(Errno::INVALID) => {
                    let change = json!({"prefix": "auth caps", "entity": entity, "caps": pairs});
                    monitor::command(inner, attempt, &change, Answer::Secret)?;
                    let read = json!({"prefix": "auth get", "entity": entity, "format": "json"});
                    get(inner, attempt, &read)?.ok_or_else(|| attempt.ceph(Errno::NOT_FOUND))
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Removes the user; one that is not there is no error. Sessions that it has go on until they are fenced.
    pub async fn remove_client(&self, entity: &str) -> Result<(), Error> {
        let entity = entity.to_owned();
        self.call(attempt("remove user", Effect::Change, &entity), move |inner, attempt| {
            check_name(&entity, attempt)?;
            match monitor::command(inner, attempt, &json!({"prefix": "auth rm", "entity": entity}), Answer::Secret) {
                Err(error) if !error.is(Errno::NOT_FOUND) => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }

    /// The users whose names begin with `prefix`, without their keys; none if we are not permitted to list users.
    pub async fn list_clients(&self, prefix: &str) -> Result<Option<Vec<String>>, Error> {
        let prefix = prefix.to_owned();
        self.call(attempt("list users", Effect::Read, &prefix), move |inner, attempt| {
            // All keys come with it: they are dropped with the answer, and nothing of it gets into an error.
            match monitor::query::<Listed>(inner, attempt, &json!({"prefix": "auth ls", "format": "json"}), Answer::Secret) {
                Ok(listed) => {
                    let names = listed.auth_dump.into_iter().map(|user| user.entity);
                    Ok(Some(names.filter(|name| name.starts_with(&prefix)).collect()))
                }
                Err(error) if error.is(Errno::ACCESS) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    pub async fn client_exists(&self, entity: &str) -> Result<bool, Error> {
        let entity = entity.to_owned();
        self.call(attempt("look for user", Effect::Read, &entity), move |inner, attempt| {
            let read = json!({"prefix": "auth get", "entity": entity, "format": "json"});
            match get(inner, attempt, &read) {
                Ok(user) => Ok(user.is_some()),
                Err(error) if error.is(Errno::NOT_FOUND) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

fn attempt(action: &'static str, effect: Effect, entity: &str) -> Attempt {
    Attempt { object: Some(entity.to_owned()), ..Attempt::on_cluster(action, effect) }
}

/// Daemons' identities and the administrator's are not ours to change.
fn check_name(entity: &str, attempt: &Attempt) -> Result<(), Error> {
    let name = entity.strip_prefix("client.").unwrap_or_default();
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name == "admin" || !name.chars().all(allowed) {
        return Err(attempt.refused("a user's name is client.<letters, digits, dots, dashes>, and not client.admin"));
    }
    Ok(())
}

fn get(inner: &Inner, attempt: &Attempt, request: &Value) -> Result<Option<SecretString>, Error> {
    let users: Vec<User> = monitor::query(inner, attempt, request, Answer::Secret)?;
    Ok(users.into_iter().next().map(|user| SecretString::from(user.key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_rights_name_just_its_pools() {
        let caps = ClientCaps::for_host(["vms", "volumes"], ["images"]);
        assert_eq!(caps.osd, "profile rbd pool=vms, profile rbd pool=volumes, profile rbd-read-only pool=images");
        assert_eq!(caps.mgr, "profile rbd pool=vms, profile rbd pool=volumes");
        assert_eq!(caps.pairs()[..2], ["mon", "profile rbd"]);
    }

    #[test]
    fn foreign_identities_are_left_alone() {
        let attempt = attempt("make user", Effect::Change, "x");
        for name in ["client.admin", "osd.0", "mon.", "client.", "client.a b", "client.a,b"] {
            assert!(check_name(name, &attempt).is_err(), "{name}");
        }
        assert!(check_name("client.cuttle.host-1.2", &attempt).is_ok());
    }
}
