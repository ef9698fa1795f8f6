//! Compute hosts: whether their agents are heard of, their clocks and versions, and what guests run on there.

use std::time::Duration;

use cuttle_database::{Candidate, Database};
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{Administrative, VirtType};

use super::check::{Check, timed};
use crate::error::chain;

/// More than a message takes.
const SKEW_MS: u64 = 2000;
/// Agents and control nodes are released together.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
    let agent = &resources.agent;
    if agent.clock_ahead_ms.unsigned_abs() > SKEW_MS {
        let (seconds, way) =
            (agent.clock_ahead_ms.unsigned_abs() / 1000, if agent.clock_ahead_ms > 0 { "ahead of" } else { "behind" });
        let detail = format!("its clock is {seconds} s {way} the control plane's: commands may be taken for too late ones");
        return Check::broken(name, detail, "set the clocks of all hosts and control nodes by NTP (chrony or systemd-timesyncd)");
    }
    if agent.version != VERSION {
        let theirs = if agent.version.is_empty() { "an older version" } else { agent.version.as_str() };
        let detail = format!("its agent is {theirs}, this control node {VERSION}");
        return Check::warning(name, detail, "install the same version on both and restart cuttle-compute; guests run on");
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

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::Usage;
    use cuttle_model::host::AgentFacts;

    use super::super::check::Status;
    use super::*;
    use crate::tests::rows;

    #[test]
    fn clocks_and_versions_that_differ_are_named() {
        let now = Timestamp::from_micros(1_000_000_000);
        let host = |version: &str, clock_ahead_ms| {
            let agent = AgentFacts { version: version.into(), clock_ahead_ms };
            let resources = cuttle_model::host::HostResources { virt_type: VirtType::Kvm, agent, ..rows::resources() };
            let host = cuttle_model::host::Host { resources: Some(resources), last_seen_at: Some(now), ..rows::host("h") };
            judge(
                &Candidate { host, usage: Usage::default(), failed_builds: 0, io_ops: 0, rules: 0, storage_quality: None },
                Duration::from_secs(10),
                now,
            )
        };
        assert_eq!(host(VERSION, 1500).status, Status::Ok);
        for (ahead, words) in [(7_300, "7 s ahead of"), (-3_000, "3 s behind")] {
            let check = host(VERSION, ahead);
            assert!(check.status == Status::Broken && check.detail.contains(words), "{check:?}");
        }
        for (version, words) in [("0.0.1", "0.0.1"), ("", "an older version")] {
            let check = host(version, 0);
            assert!(check.status == Status::Warning && check.detail.contains(words), "{check:?}");
        }
    }
}
