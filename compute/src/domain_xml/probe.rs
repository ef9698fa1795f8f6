//! The domain of the probe's guest: as small as it can be, with the CPU of real guests.

use std::path::PathBuf;

use super::tree::Element;
use super::{MachineSettings, cpu};
use cuttle_model::host::VirtType;

/// The UUID of the probe's domain: always the same, so that one left over is found.
pub const PROBE_UUID: uuid::Uuid = uuid::uuid!("c0771e00-0000-4000-8000-000000000001");

/// The probe's files, which QEMU's user must reach.
#[derive(Debug, Clone)]
pub struct ProbeFiles {
    /// What it runs.
    pub firmware: PathBuf,
    /// Where it writes how far it came.
    pub output: PathBuf,
}

/// The document.
pub fn probe_xml(machine: &MachineSettings, files: &ProbeFiles) -> String {
    let machine = MachineSettings { virt_type: VirtType::Kvm, ..machine.clone() };
    let serial = Element::new("serial")
        .attribute("type", "file")
        .child(Element::new("source").attribute("path", files.output.to_string_lossy()))
        .child(Element::new("target").attribute("port", "0"));
    let devices = Element::new("devices")
        .child(serial)
        .child(Element::new("controller").attribute("type", "usb").attribute("model", "none"))
        .child(Element::new("memballoon").attribute("model", "none"));
    let os = Element::new("os")
        .child(Element::new("type").attribute("arch", "x86_64").attribute("machine", "q35").text("hvm"))
        .child(Element::new("loader").attribute("type", "rom").text(files.firmware.to_string_lossy()));
    Element::new("domain")
        .attribute("type", machine.virt_type.as_str())
        .leaf("name", "cuttle-probe")
        .leaf("uuid", PROBE_UUID.to_string())
        .child(Element::new("memory").attribute("unit", "MiB").text("32"))
        .child(Element::new("vcpu").text("1"))
        .child(os)
        .child(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")))
        .child(cpu(&machine))
        .leaf("on_poweroff", "destroy")
        .leaf("on_reboot", "destroy")
        .leaf("on_crash", "destroy")
        .child(devices)
        .render()
}
