//! Whether hardware virtualization really runs a guest.
//!
//! `/dev/kvm` may exist, and libvirt may offer it, where guests die early ("KVM internal error.
//! Suberror: 1"): a KVM inside a virtual machine that executes what a guest does by emulation, and does
//! not know every instruction. So a tiny guest is started through the same libvirt, with the same CPU
//! as real guests. It goes through real, protected and long mode, executes instructions that only a CPU
//! knows, counts for some milliseconds, and switches itself off. See `probe/program.s`.
//!
//! The answer is kept for this run of the kernel and this version of the hypervisor.

mod firmware;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use cuttle_model::host::VirtType;
use serde::{Deserialize, Serialize};

use crate::domain_xml::MachineSettings;
use crate::domain_xml::probe::{ProbeFiles, probe_xml};
use crate::hypervisor::{HypervisorError, Node};
use crate::libvirt::Libvirt;
use crate::state_dir::{StateDir, replace_file};

/// How often the guest is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What the probe found, and when that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The run of the kernel in which it was found.
    pub boot_id: String,
    /// With which hypervisor.
    pub hypervisor_version: String,
    pub virt_type: VirtType,
    /// What the guest did, for people.
    pub reason: String,
}

/// The probe could not be made; nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("cannot write the probe's guest to {path}: {source}")]
    Files { path: String, source: io::Error },
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
}

/// The kept finding, or a new one.
pub async fn find(
    libvirt: &Libvirt,
    state: &StateDir,
    node: &Node,
    boot_id: &str,
    machine: &MachineSettings,
    timeout: Duration,
) -> Result<Finding, ProbeError> {
    if let Some(kept) = kept(state, node, boot_id) {
        tracing::info!(virt_type = kept.virt_type.as_str(), reason = kept.reason, "hardware virtualization was probed before");
        return Ok(kept);
    }
    let verdict = run(libvirt, state, machine, timeout).await?;
    let conclusive = !matches!(verdict, Verdict::NotStarted { .. });
    let (virt_type, reason) = match verdict {
        Verdict::Works { took } => (VirtType::Kvm, format!("a guest ran to its end in {} ms", took.as_millis())),
        Verdict::Fails { reason } | Verdict::NotStarted { reason } => (VirtType::Qemu, reason),
    };
    match virt_type {
        VirtType::Kvm => tracing::info!(reason, "hardware virtualization works"),
        VirtType::Qemu => tracing::warn!(reason, "hardware virtualization does not work: guests will be emulated, slowly"),
    }
    let finding = Finding { boot_id: boot_id.to_owned(), hypervisor_version: node.hypervisor_version.clone(), virt_type, reason };
    if conclusive {
        keep(state, &finding);
    }
    Ok(finding)
}

/// What became of the guest.
#[derive(Debug)]
enum Verdict {
    Works {
        took: Duration,
    },
    /// It did not do what a guest should.
    Fails {
        reason: String,
    },
    /// libvirt refused to start it. The cause may be repaired without a new start of the kernel, so
    /// this is not remembered.
    NotStarted {
        reason: String,
    },
}

async fn run(libvirt: &Libvirt, state: &StateDir, machine: &MachineSettings, timeout: Duration) -> Result<Verdict, ProbeError> {
    let files = ProbeFiles { firmware: state.probe().join("firmware.bin"), output: state.probe().join("serial.log") };
    write(&files).map_err(|source| ProbeError::Files { path: state.probe().display().to_string(), source })?;
    let xml = probe_xml(machine, &files);
    let started = Instant::now();
    match libvirt.start_probe(xml).await {
        Ok(()) => {}
        Err(HypervisorError::Broken(reason)) => return Ok(Verdict::NotStarted { reason }),
        Err(error) => return Err(error.into()),
    }
    let mut running = true;
    while running && started.elapsed() < timeout {
        tokio::time::sleep(LOOK).await;
        running = libvirt.probe_runs().await?;
    }
    let took = started.elapsed();
    libvirt.end_probe().await?;
    let output = std::fs::read(&files.output).unwrap_or_default();
    Ok(verdict(&output, took, timeout))
}

fn verdict(output: &[u8], took: Duration, timeout: Duration) -> Verdict {
    if output.starts_with(firmware::COMPLETE) && took < timeout {
        return Verdict::Works { took };
    }
    let came_to = match output.last() {
        None => "the guest did not start",
        Some(b'R' | b'P') => "the guest stopped before long mode",
        Some(b'L') => "the guest stopped at an instruction that every CPU knows",
        Some(b'S') => "the guest runs far too slowly",
        Some(_) => "the guest did not switch off",
    };
    Verdict::Fails { reason: format!("{came_to} (after {} ms)", took.as_millis()) }
}

fn write(files: &ProbeFiles) -> io::Result<()> {
    replace_file(&files.firmware, &firmware::rom())?;
    // QEMU's user reads it; there is nothing secret in it.
    std::fs::set_permissions(&files.firmware, std::fs::Permissions::from_mode(0o644))?;
    replace_file(&files.output, b"")
}

fn kept(state: &StateDir, node: &Node, boot_id: &str) -> Option<Finding> {
    let bytes = std::fs::read(state.probe_result()).ok()?;
    let finding: Finding = serde_json::from_slice(&bytes).ok()?;
    (finding.boot_id == boot_id && finding.hypervisor_version == node.hypervisor_version).then_some(finding)
}

fn keep(state: &StateDir, finding: &Finding) {
    let kept = serde_json::to_vec(finding).map_err(io::Error::from).and_then(|b| replace_file(&state.probe_result(), &b));
    if let Err(error) = kept {
        tracing::warn!(%error, "cannot keep what the probe found; it will be made again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_that_came_to_its_end_in_time_proves_anything() {
        let timeout = Duration::from_secs(10);
        assert!(matches!(verdict(b"RPLSC", Duration::from_secs(1), timeout), Verdict::Works { .. }));
        for (output, took, named) in [
            (&b""[..], 1, "did not start"),
            (b"RP", 1, "long mode"),
            (b"RPL", 1, "instruction"),
            (b"RPLS", 10, "slowly"),
            (b"RPLSC", 10, "switch off"),
        ] {
            match verdict(output, Duration::from_secs(took), timeout) {
                Verdict::Fails { reason } => assert!(reason.contains(named), "{reason}"),
                _ => panic!("{output:?} proves nothing"),
            }
        }
    }
}
