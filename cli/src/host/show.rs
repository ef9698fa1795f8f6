//! `cuttle host show`.

use jiff::Timestamp;

use crate::host::wire::Host;
use crate::output::{fields, mebibytes};
use crate::session::{Session, member};
use crate::time::{ago, point};
use crate::{Done, Error};

pub async fn run(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.get(&["hosts", name], &[]).await?;
    session.show(member(answer, "host"), human)
}

/// All that is known of a host.
pub fn human(host: Host, now: Timestamp) -> String {
    let status = match &host.disabled_reason {
        Some(reason) => format!("{} ({reason})", host.status),
        None => host.status.clone(),
    };
    let mut pairs = vec![
        ("name", host.name),
        ("id", host.id),
        ("state", host.state),
        ("status", status),
        ("seen", ago(now, host.last_seen_at)),
        ("added", point(Some(host.created_at))),
        ("boot", host.boot_id.unwrap_or_default()),
        ("certificate until", point(host.certificate_expires_at)),
        ("ceph client", host.configured_ceph_client.unwrap_or(host.ceph_client)),
        ("older ceph clients", host.older_ceph_clients.join(", ")),
        ("instances", host.instances.to_string()),
    ];
    if let Some(found) = host.resources {
        let (cpu, ram) = (found.vcpus, found.ram_mib);
        pairs.extend([
            ("virtual CPUs", format!("{} claimed of {} ({} threads)", cpu.claimed, cpu.limit, cpu.present)),
            (
                "memory",
                format!(
                    "{} claimed of {} ({} with {} kept for the host)",
                    mebibytes(ram.claimed),
                    mebibytes(ram.limit),
                    mebibytes(ram.present),
                    mebibytes(ram.reserved)
                ),
            ),
            ("virtualization", found.virt_type),
            ("architecture", found.architecture),
            ("libvirt", found.libvirt_version),
            ("QEMU", found.qemu_version),
        ]);
    }
    fields(pairs)
}
