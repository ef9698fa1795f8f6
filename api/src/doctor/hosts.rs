//! Compute hosts: whether their agents are heard of, and what guests run on there.

use std::time::Duration;

use cuttle_database::{Candidate, Database};
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{Administrative, VirtType};

use super::check::{Check, timed};
use crate::error::chain;

pub async fn examine(database: &Database, down_after: Duration, now: Timestamp) -> Vec<Check> {
    timed("hosts", "look whether the database answers", async {
        match database.list_hosts_with_usage().await {
            Err(error) => vec![Check::broken("hosts", chain(&error), "look whether the database answers")],
            Ok(hosts) if hosts.is_empty() => {
                vec![Check::warning("hosts", "there are none", "let one join: 'cuttle host add NAME'")]
            }
            Ok(hosts) => hosts.iter().map(|host| judge(host, down_after, now)).collect(),
        }
    })
    .await
}

fn judge(found: &Candidate, down_after: Duration, now: Timestamp) -> Check {
    let (host, name) = (&found.host, format!("host {}", found.host.name));
    let (Some(seen), Some(resources)) = (host.last_seen_at, &host.resources) else {
        return Check::warning(
            name,
            "its agent has never said hello",
            "start cuttle-compute there with the token that it was given",
        );
    };
    let silent = now.since(seen);
    if silent > down_after {
        let detail =
            format!("its agent was not heard of for {} s; {} instances are there", silent.as_secs(), found.usage.instances);
        let advice = "look at cuttle-compute and the network there; guests run on meanwhile, and nothing is started elsewhere";
        return Check::broken(name, detail, advice);
    }
    let runs = format!(
        "{} instances, libvirt {}, QEMU {} on {}",
        found.usage.instances,
        resources.libvirt_version,
        resources.hypervisor_version,
        match resources.virt_type {
            VirtType::Kvm => "KVM",
            VirtType::Qemu => "emulation",
        }
    );
    if resources.virt_type == VirtType::Qemu {
        let advice = "guests are slow: enable virtualization in the firmware (or nested virtualization), load kvm_intel or \
                      kvm_amd, let QEMU open /dev/kvm, and restart cuttle-compute";
        return Check::warning(name, runs, advice);
    }
    match &host.administrative {
        Administrative::Enabled => Check::ok(name, runs),
        Administrative::Disabled { reason } => {
            let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            Check::ok(name, format!("disabled{why}: {runs}"))
        }
    }
}
