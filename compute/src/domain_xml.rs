//! The domain XML of a guest.
//!
//! Always true: a guest's end, by whatever cause, is the end of its domain (`destroy` on power-off and
//! crash); an I/O error stops its virtual CPUs; it names no key, only the UUID of the secret; nothing
//! that a user chose can change the document's shape.

mod devices;
pub mod metadata;
pub mod probe;
pub mod tree;

use std::path::PathBuf;

use cuttle_compute_protocol::{CephConnection, GuestSpec};
use cuttle_model::host::VirtType;
use cuttle_model::ids::{Epoch, InstanceId};
use serde::Deserialize;
use uuid::Uuid;

use tree::Element;

/// All that a domain's XML is made from.
#[derive(Debug, Clone)]
pub struct Blueprint {
    pub instance_id: InstanceId,
    pub epoch: Epoch,
    pub spec: GuestSpec,
    /// The monitors as they are now.
    pub ceph: CephConnection,
    /// `client.cuttle.host1.1`.
    pub ceph_client: String,
    /// The hypervisor's secret that holds the client's key.
    pub secret_uuid: Uuid,
    pub machine: MachineSettings,
    /// What librbd is told of this host; see [`crate::librbd_conf`].
    pub librbd_conf: Option<PathBuf>,
    /// Where the serial console is logged. The directory exists.
    pub console_log: PathBuf,
}

/// What is the same for all guests of a host.
#[derive(Debug, Clone)]
pub struct MachineSettings {
    pub virt_type: VirtType,
    pub cpu_model: CpuModel,
    /// The address on which guests' screens are served.
    pub vnc_listen: String,
}

/// Which CPU a guest sees on hardware virtualization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CpuModel {
    /// A named model close to the host's, with its features listed: a guest can move to a similar host.
    #[default]
    HostModel,
    /// The host's CPU as it is: everything it can do, but a guest moves to equal hosts only.
    HostPassthrough,
}

/// A guest that cannot be built as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("the guest's disk {image:?} in pool {pool:?} has a name that libvirt cannot take")]
    DiskName { pool: String, image: String },
    #[error("the serial number {serial:?} has more than 20 characters, or others than letters, digits, '-', '_', '.'")]
    Serial { serial: String },
    #[error("the property {key} is {value:?}; it can be {allowed}")]
    Property { key: &'static str, value: String, allowed: &'static str },
    #[error("the guest has {count} disks, and {limit} can be attached")]
    TooManyDisks { count: usize, limit: usize },
    #[error("no Ceph monitor is known")]
    NoMonitor,
}

/// What the guest reads as its maker and product: cloud-init recognizes the platform by it.
const MANUFACTURER: &str = "OpenStack Foundation";
const PRODUCT: &str = "OpenStack Nova";

/// libvirt's name of an instance's domain.
pub fn domain_name(instance: InstanceId) -> String {
    format!("cuttle-{instance}")
}

/// The document.
pub fn build(blueprint: &Blueprint) -> Result<String, SpecError> {
    let spec = &blueprint.spec;
    let domain = Element::new("domain")
        .attribute("type", blueprint.machine.virt_type.as_str())
        .leaf("name", domain_name(blueprint.instance_id))
        .leaf("uuid", blueprint.instance_id.to_string())
        .leaf("title", &spec.name)
        .child(Element::new("metadata").child(metadata::element(blueprint)))
        .child(Element::new("memory").attribute("unit", "MiB").text(spec.ram_mib.to_string()))
        .child(Element::new("currentMemory").attribute("unit", "MiB").text(spec.ram_mib.to_string()))
        .child(Element::new("vcpu").attribute("placement", "static").text(spec.vcpus.to_string()))
        .child(sysinfo(blueprint))
        .child(os())
        .child(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")))
        .child(cpu(&blueprint.machine))
        .child(clock(blueprint.machine.virt_type))
        .leaf("on_poweroff", "destroy")
        .leaf("on_reboot", "restart")
        .leaf("on_crash", "destroy")
        .child(devices::element(blueprint)?);
    Ok(domain.render())
}

fn os() -> Element {
    Element::new("os")
        .child(Element::new("type").attribute("arch", "x86_64").attribute("machine", "q35").text("hvm"))
        .child(Element::new("smbios").attribute("mode", "sysinfo"))
}

fn sysinfo(blueprint: &Blueprint) -> Element {
    let entry = |name: &str, value: &str| Element::new("entry").attribute("name", name).text(value);
    let id = blueprint.instance_id.to_string();
    let system = Element::new("system")
        .child(entry("manufacturer", MANUFACTURER))
        .child(entry("product", PRODUCT))
        .child(entry("version", env!("CARGO_PKG_VERSION")))
        .child(entry("serial", &id))
        .child(entry("uuid", &id))
        .child(entry("family", "Virtual Machine"));
    Element::new("sysinfo").attribute("type", "smbios").child(system)
}

fn cpu(machine: &MachineSettings) -> Element {
    let mode = match (machine.virt_type, machine.cpu_model) {
        // Emulation refuses the host's CPU; "maximum" is all that it can do itself.
        (VirtType::Qemu, _) => "maximum",
        (VirtType::Kvm, CpuModel::HostModel) => "host-model",
        (VirtType::Kvm, CpuModel::HostPassthrough) => "host-passthrough",
    };
    Element::new("cpu").attribute("mode", mode).attribute("check", "none")
}

fn clock(virt_type: VirtType) -> Element {
    let timer = |name: &str| Element::new("timer").attribute("name", name);
    let clock = Element::new("clock")
        .attribute("offset", "utc")
        .child(timer("rtc").attribute("tickpolicy", "catchup"))
        .child(timer("hpet").attribute("present", "no"));
    match virt_type {
        VirtType::Kvm => clock.child(timer("pit").attribute("tickpolicy", "delay")),
        VirtType::Qemu => clock,
    }
}

#[cfg(test)]
mod tests;
