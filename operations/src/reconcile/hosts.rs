//! Guests and secrets that agents find on their hosts, compared with the rows.

use std::collections::HashMap;
use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, GuestState, Inventory, Outcome, secret_of_usage};
use cuttle_database::InstanceQuery;
use cuttle_model::host::Host;
use cuttle_model::ids::{CommandId, Epoch, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, StateName};
use futures::StreamExt;
use uuid::Uuid;

use super::Look;
use super::finding::{Finding, Kind};
use super::users::in_use;
use crate::Control;
use crate::agent::ask;

/// How long a host may take to say what it has.
const PATIENCE: Duration = Duration::from_secs(10);
/// Hosts that are asked at once.
const AT_ONCE: usize = 32;

/// What came of asking one host.
struct Looked {
    guests: u64,
    findings: Vec<Finding>,
}

/// Asks every host what it has.
pub(super) async fn look(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    let control = look.control;
    let hosts = control.database().list_hosts().await?;
    let (heard, silent): (Vec<Host>, Vec<Host>) = hosts.into_iter().partition(|host| {
        host.last_seen_at.is_some_and(|seen| look.began_at.since(seen) <= control.settings().host_down_after())
    });
    look.report.unchecked.extend(silent.iter().map(|host| format!("what is on host {}: it was not heard of lately", host.name)));
    let mut asked = futures::stream::iter(heard.into_iter().map(|host| async move { (look_at(control, &host).await, host) }))
        .buffer_unordered(AT_ONCE);
    while let Some((looked, host)) = asked.next().await {
        match looked? {
            Ok(looked) => {
                look.report.looked_at.hosts += 1;
                look.report.looked_at.guests += looked.guests;
                looked.findings.into_iter().for_each(|finding| look.report.add(finding));
            }
            Err(why) => look.report.unchecked.push(format!("what is on host {}: {why}", host.name)),
        }
    }
    Ok(())
}

/// Twice: what looks wrong counts if it is still so, and if its row has not changed.
async fn look_at(control: &Control, host: &Host) -> cuttle_database::Result<Result<Looked, String>> {
    let before = rows_of(control, host).await?;
    let inventory = match take(control, host).await? {
        Ok(inventory) => inventory,
        Err(why) => return Ok(Err(why)),
    };
    let guests = inventory.guests.len() as u64;
    let rows = rows_again(control, &before, &inventory).await?;
    let needed = in_use(control, host).await?;
    let first = compare(control, host, &before, &rows, &inventory, &needed);
    if first.is_empty() {
        return Ok(Ok(Looked { guests, findings: first }));
    }
    let inventory = match take(control, host).await? {
        Ok(inventory) => inventory,
        Err(why) => return Ok(Err(why)),
    };
    let again = rows_again(control, &rows, &inventory).await?;
    // A key may have been changed meanwhile.
    let needed = in_use(control, host).await?;
    let mut findings = compare(control, host, &rows, &again, &inventory, &needed);
    findings.retain(|finding| first.contains(finding));
    Ok(Ok(Looked { guests, findings }))
}

type Rows = HashMap<InstanceId, Instance>;

/// The instances that should run on the host.
async fn rows_of(control: &Control, host: &Host) -> cuttle_database::Result<Rows> {
    let query =
        InstanceQuery { host: Some(host.id), states: vec![StateName::Active, StateName::Paused], ..InstanceQuery::default() };
    Ok(control.database().list_instances(&query).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// Those, and the instances of all guests, as they are now.
async fn rows_again(control: &Control, before: &Rows, inventory: &Inventory) -> cuttle_database::Result<Rows> {
    let mut ids: Vec<InstanceId> = inventory.guests.iter().map(|guest| guest.instance_id).chain(before.keys().copied()).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Rows::new());
    }
    Ok(control.database().instances_by_id(&ids).await?.into_iter().map(|row| (row.id, row)).collect())
}

async fn take(control: &Control, host: &Host) -> cuttle_database::Result<Result<Inventory, String>> {
    let command = Command {
        id: CommandId::new(control.ids()),
        // It is about the host.
        instance_id: InstanceId::from_uuid(Uuid::nil()),
        epoch: Epoch::NONE,
        action: Action::TakeInventory,
        not_after: control.now().plus(PATIENCE),
    };
    Ok(match ask(control, host.id, &command, PATIENCE).await? {
        Some(Outcome::Inventory { inventory }) => Ok(*inventory),
        Some(Outcome::Failed { message, .. }) => Err(message),
        Some(_) => Err("its agent answered with something else".to_owned()),
        None => Err(format!("its agent did not answer within {} s", PATIENCE.as_secs())),
    })
}

/// `needed` are the host's cephx identities.
fn compare(control: &Control, host: &Host, before: &Rows, rows: &Rows, inventory: &Inventory, needed: &[String]) -> Vec<Finding> {
    let place = Some(host.name.as_str());
    let mut found = Vec::new();
    for guest in &inventory.guests {
        if let Some(why) = unwanted(host, guest, rows.get(&guest.instance_id)) {
            let message = format!(
                "a guest of instance {} (epoch {}) is {}, and {why}",
                guest.instance_id,
                guest.epoch,
                guest.power.as_str()
            );
            found.push(Finding::new(Kind::UnknownGuest, guest.instance_id, place, message));
        }
    }
    for row in before.values() {
        let unchanged = rows.get(&row.id).is_some_and(|now| now.generation == row.generation);
        let should_run = matches!(row.state, InstanceState::Active | InstanceState::Paused)
            && row.task.is_none()
            && row.host_id == Some(host.id);
        if unchanged && should_run && !inventory.guests.iter().any(|guest| guest.instance_id == row.id) {
            let message = format!("instance {} is {}, and its host has no guest of it", row.id, row.state.name().as_str());
            found.push(Finding::new(Kind::MissingGuest, row.id, place, message));
        }
    }
    for secret in &inventory.secrets {
        // Others' secrets are their business.
        let Some((fsid, client)) = secret_of_usage(&secret.usage) else { continue };
        if fsid != control.ceph().fsid() || !needed.iter().any(|user| user == client) {
            let message = format!("libvirt holds the key of {client} in cluster {fsid}, which this host does not use");
            found.push(Finding::new(Kind::UnneededSecret, secret.uuid, place, message));
        }
    }
    found
}

/// Why nobody wants this guest here; none if somebody does, or is deciding it.
fn unwanted(host: &Host, guest: &GuestState, row: Option<&Instance>) -> Option<&'static str> {
    let Some(row) = row else { return Some("there is no such instance") };
    if row.task.is_some() {
        return None;
    }
    match &row.state {
        InstanceState::Deleted => Some("the instance is deleted"),
        _ if row.host_id != Some(host.id) => Some("the instance is not on this host"),
        _ if row.epoch != guest.epoch => Some("the instance is in another epoch"),
        InstanceState::Stopped => Some("the instance is stopped"),
        InstanceState::Active
        | InstanceState::Paused
        | InstanceState::Resized { .. }
        | InstanceState::Building
        | InstanceState::Error { .. } => None,
    }
}
