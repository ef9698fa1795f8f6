//! `cuttle instance show`.

use jiff::Timestamp;

use crate::instance::find;
use crate::instance::wire::{Client, Detail};
use crate::output::{fields, mebibytes, table};
use crate::session::{Session, member};
use crate::time::point;
use crate::{Done, Error};

pub async fn run(session: &Session, typed: &str) -> Result<Done, Error> {
    let id = find::id(session, typed).await?;
    let answer = session.client.get(&["instances", &id], &[]).await?;
    session.show(member(answer, "instance"), human)
}

fn human(instance: Detail, _: Timestamp) -> String {
    let brief = instance.brief;
    let disk = instance
        .root_disk
        .map(|disk| format!("{}/{} (RBD id {}, {})", disk.pool, disk.name, disk.image_id, mebibytes(disk.size_bytes >> 20)));
    let epoch = match instance.running_allowed {
        Some(allowed) if allowed == instance.epoch => format!("{}, allowed to run", instance.epoch),
        _ => format!("{}, not allowed to run", instance.epoch),
    };
    let project = match &brief.project {
        Some(name) => format!("{name} ({})", brief.project_id),
        None => brief.project_id.clone(),
    };
    let mut pairs = vec![
        ("name", brief.name),
        ("id", brief.id),
        ("project", project),
        ("user", instance.user_id),
        ("state", brief.state),
        ("task", brief.task.unwrap_or_default()),
        ("power", brief.power),
        ("host", brief.host.unwrap_or_default()),
        ("flavor", format!("{} ({} virtual CPUs, {})", brief.flavor, instance.vcpus, mebibytes(instance.ram_mib))),
        ("image", instance.image_id.unwrap_or_default()),
        ("root disk", disk.unwrap_or_default()),
        ("epoch", epoch),
        ("created", point(Some(brief.created_at))),
        ("first ran", point(instance.launched_at)),
    ];
    if instance.deleted_at.is_some() {
        pairs.push(("deleted", point(instance.deleted_at)));
    }
    if let Some(fault) = instance.fault {
        pairs.push(("fault", format!("{} ({})", fault.message, fault.kind)));
    }
    format!("{}\n{}", fields(pairs), clients(&instance.clients))
}

fn clients(clients: &[Client]) -> String {
    if clients.is_empty() {
        return "No client may write to its disks.\n".to_owned();
    }
    let row = |client: &Client| {
        [
            client.address.clone(),
            client.host.clone().unwrap_or_default(),
            client.epoch.to_string(),
            client.pool.clone(),
            point(Some(client.recorded_at)),
        ]
    };
    table(["CLIENT", "HOST", "EPOCH", "POOL", "RECORDED (UTC)"], clients.iter().map(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_with_its_clients() {
        let instance = json!({
            "id": "i1", "name": "web", "project_id": "p1", "project": "shop", "state": "active", "task": null,
            "power": "running", "host": "host1", "flavor": "tiny", "created_at": "2026-11-21T11:00:00.000000Z",
            "updated_at": "2026-11-21T11:00:00.000000Z", "user_id": "u1", "image_id": "m1", "vcpus": 1, "ram_mib": 128,
            "epoch": 2, "running_allowed": 2, "launched_at": null, "deleted_at": null, "fault": null,
            "root_disk": {"role": "root", "pool": "vms", "name": "i1_disk", "image_id": "abc", "size_bytes": 1 << 30},
            "clients": [{"address": "10.0.0.1:0/5", "epoch": 2, "host": "host1", "pool": "vms", "image_id": "abc",
                         "recorded_at": "2026-11-21T11:00:01.000000Z"}],
        });
        let shown = human(serde_json::from_value(instance).unwrap(), Timestamp::UNIX_EPOCH);
        let expected = "\
name       web
id         i1
project    shop (p1)
user       u1
state      active
task       -
power      running
host       host1
flavor     tiny (1 virtual CPUs, 128 MiB)
image      m1
root disk  vms/i1_disk (RBD id abc, 1.0 GiB)
epoch      2, allowed to run
created    2026-11-21 11:00:00
first ran  -

CLIENT        HOST   EPOCH  POOL  RECORDED (UTC)
10.0.0.1:0/5  host1  2      vms   2026-11-21 11:00:01
";
        assert_eq!(shown, expected);
    }
}
