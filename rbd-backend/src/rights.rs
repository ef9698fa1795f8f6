//! What our identity lacks to do its work, found out without changing anything, and what gives it.

use crate::cluster::{Cluster, Inner};
use crate::error::{Attempt, Effect, Error};
use crate::monitor::{self, Answer};
use crate::sys::errno::{Errno, Result};
use crate::sys::ioctx::IoCtx;
use crate::sys::probe::Probe;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// A right in a pool, as caps count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Read,
    Write,
    /// librbd's methods on the OSDs (`x`).
    Execute,
}

/// Something that we may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingRight {
    Pool {
        client: String,
        pool: String,
        right: Right,
    },
    /// A command on the monitors.
    Command {
        client: String,
        command: String,
    },
}

impl MissingRight {
    /// What an operator does about it.
    pub fn remedy(&self) -> String {
        match self {
            MissingRight::Pool { client, pool, .. } => format!(
                "add 'profile rbd pool={pool}' to the osd caps of {client} ('ceph auth get {client}' shows all its caps, \
                 'ceph auth caps' sets all of them anew)"
            ),
            MissingRight::Command { client, command } => format!(
                "add 'allow command \"{command}\"' to the mon caps of {client} ('ceph auth get {client}' shows all its caps, \
                 'ceph auth caps' sets all of them anew)"
            ),
        }
    }
}

impl fmt::Display for MissingRight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissingRight::Pool { client, pool, right } => {
                let what = match right {
                    Right::Read => "read from",
                    Right::Write => "write to",
                    Right::Execute => "call librbd's methods in",
                };
                write!(formatter, "{client} is not permitted to {what} pool {pool}")
            }
            MissingRight::Command { client, command } => {
                write!(formatter, "{client} is not permitted to run '{command}' on the monitors")
            }
        }
    }
}

impl Cluster {
    /// What we lack of the rights to keep images in these pools and to look after hosts' identities, whose names begin with
    /// `clients` (as `client.cuttle.`). A pool that is not there is an error.
    pub async fn check_caps(&self, pools: &[&str], clients: &str) -> std::result::Result<Vec<MissingRight>, Error> {
        let pools: Vec<Arc<str>> = pools.iter().map(|pool| Arc::from(*pool)).collect();
        let probe = format!("{clients}cuttle-probe-of-rights");
        let attempt = Attempt::on_cluster("look at our own rights", Effect::Read);
        self.call(attempt, move |inner, attempt| {
            let mut missing = missing_commands(inner, attempt, &probe)?;
            for pool in &pools {
                let attempt = attempt.of_pool(pool);
                let context = inner.context(pool, &attempt)?;
                missing.extend(missing_in(&context, inner.client_name(), pool).map_err(|errno| attempt.ceph(errno))?);
            }
            Ok(missing)
        })
        .await
    }
}

/// What we lack in one pool.
pub(crate) fn missing_in(context: &IoCtx, client: &str, pool: &str) -> Result<Vec<MissingRight>> {
    let mut missing = Vec::new();
    for (probe, right) in [(Probe::Read, Right::Read), (Probe::Write, Right::Write), (Probe::Execute, Right::Execute)] {
        if !context.is_allowed(probe)? {
            missing.push(MissingRight::Pool { client: client.to_owned(), pool: pool.to_owned(), right });
        }
    }
    Ok(missing)
}

/// Commands that cannot be carried out: the monitors look at rights first, and then find nothing to do.
fn missing_commands(inner: &Inner, attempt: &Attempt, user: &str) -> std::result::Result<Vec<MissingRight>, Error> {
    let bad_caps = ["mon", "no such capability"];
    let harmless: [Value; 6] = [
        json!({"prefix": "df", "format": "json"}),
        json!({"prefix": "auth get", "entity": user, "format": "json"}),
        json!({"prefix": "auth get-or-create", "entity": user, "caps": bad_caps, "format": "json"}),
        json!({"prefix": "auth caps", "entity": user, "caps": bad_caps}),
        json!({"prefix": "auth rm", "entity": user}),
        json!({"prefix": "osd blocklist", "blocklistop": "add", "addr": "no address"}),
    ];
    let mut missing = Vec::new();
    for command in harmless {
        match monitor::command(inner, attempt, &command, Answer::Secret) {
            Ok(_) => {}
            Err(error) => match error.reason() {
                crate::error::Reason::Denied { right, .. } => missing.push((**right).clone()),
                _ if error.is(Errno::NOT_FOUND) || error.is(Errno::INVALID) => {}
                _ => return Err(error),
            },
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_who_lacks_what_and_how_to_give_it() {
        let right = MissingRight::Pool { client: "client.cuttle".into(), pool: "vms".into(), right: Right::Write };
        assert_eq!(right.to_string(), "client.cuttle is not permitted to write to pool vms");
        assert!(right.remedy().starts_with("add 'profile rbd pool=vms' to the osd caps of client.cuttle"));
        let command = MissingRight::Command { client: "client.cuttle".into(), command: "auth rm".into() };
        assert!(command.remedy().contains("'allow command \"auth rm\"' to the mon caps"));
    }
}
