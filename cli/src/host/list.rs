//! `cuttle host list`.

use jiff::Timestamp;

use crate::host::wire::Host;
use crate::output::{mebibytes, table};
use crate::session::{Session, member};
use crate::time::ago;
use crate::{Done, Error};

pub async fn run(session: &Session) -> Result<Done, Error> {
    let answer = session.client.get(&["hosts"], &[]).await?;
    session.show(member(answer, "hosts"), human)
}

fn human(hosts: Vec<Host>, now: Timestamp) -> String {
    if hosts.is_empty() {
        return "There are no hosts yet.\n".to_owned();
    }
    let row = |host: &Host| {
        let resources = host.resources.as_ref();
        [
            host.name.clone(),
            host.state.clone(),
            host.status.clone(),
            host.instances.to_string(),
            resources.map(|found| format!("{}/{}", found.vcpus.claimed, found.vcpus.limit)).unwrap_or_default(),
            resources
                .map(|found| format!("{} of {}", mebibytes(found.ram_mib.claimed), mebibytes(found.ram_mib.limit)))
                .unwrap_or_default(),
            resources.map(|found| found.virt_type.clone()).unwrap_or_default(),
            ago(now, host.last_seen_at),
        ]
    };
    table(["NAME", "STATE", "STATUS", "INSTANCES", "VCPUS", "MEMORY", "VIRT", "SEEN"], hosts.iter().map(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_in_a_table() {
        let hosts = json!([
            {"id": "1", "name": "host1", "state": "up", "status": "enabled", "disabled_reason": null,
             "last_seen_at": "2026-11-21T11:59:59.000000Z", "created_at": "2026-11-01T00:00:00.000000Z", "boot_id": "b",
             "ceph_client": "client.cuttle.host1.1", "instances": 3, "resources": {
                "vcpus": {"present": 8, "limit": 128, "claimed": 6},
                "ram_mib": {"present": 16384, "reserved": 512, "limit": 15872, "claimed": 3072},
                "virt_type": "kvm", "architecture": "x86_64", "libvirt_version": "11.3.0", "qemu_version": "10.0.2"}},
            {"id": "2", "name": "host2", "state": "new", "status": "disabled", "disabled_reason": "not yet",
             "last_seen_at": null, "created_at": "2026-11-01T00:00:00.000000Z", "boot_id": null,
             "ceph_client": "client.cuttle.host2.1", "instances": 0, "resources": null},
        ]);
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let expected = "\
NAME   STATE  STATUS    INSTANCES  VCPUS  MEMORY               VIRT  SEEN
host1  up     enabled   3          6/128  3.0 GiB of 15.5 GiB  kvm   1 s ago
host2  new    disabled  0          -      -                    -     -
";
        assert_eq!(human(serde_json::from_value(hosts).unwrap(), now), expected);
        assert_eq!(human(Vec::new(), now), "There are no hosts yet.\n");
    }
}
