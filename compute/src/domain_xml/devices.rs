//! The devices of a guest: disks on RBD, the console with its log, and what every guest has.

use super::tree::{Element, can_carry};
use super::{Blueprint, SpecError};
use cuttle_compute_protocol::GuestDisk;
use cuttle_model::disk::DiskRole;
use cuttle_model::disk_limits::DiskLimits;

/// Root ports of PCI Express that are free for devices attached later.
const SPARE_PORTS: usize = 16;
/// As many as there are letters for their names.
const DISK_LIMIT: usize = 26;
/// Seconds between the guest's reports of its memory.
const BALLOON_PERIOD: &str = "10";

/// The `devices` element.
pub fn element(blueprint: &Blueprint) -> Result<Element, SpecError> {
    let bus = DiskBus::of(blueprint)?;
    let disks = disks(blueprint, bus)?;
    let devices = Element::new("devices")
        .children(disks)
        .child(Element::new("controller").attribute("type", "pci").attribute("index", "0").attribute("model", "pcie-root"))
        .children((0..SPARE_PORTS).map(|_| controller("pci", "pcie-root-port")))
        .child(controller("usb", "qemu-xhci"))
        .children((bus == DiskBus::Scsi).then(|| controller("scsi", "virtio-scsi")))
        .child(serial(blueprint))
        .child(guest_agent())
        .child(Element::new("input").attribute("type", "tablet").attribute("bus", "usb"))
        .child(graphics(&blueprint.machine.vnc_listen))
        .child(Element::new("video").child(Element::new("model").attribute("type", "vga")))
        .child(random())
        .child(balloon());
    Ok(devices)
}

/// How disks are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiskBus {
    Virtio,
    Scsi,
    Sata,
}

impl DiskBus {
    fn of(blueprint: &Blueprint) -> Result<Self, SpecError> {
        const KEY: &str = "hw_disk_bus";
        match blueprint.spec.properties.get(KEY).map(String::as_str) {
            None | Some("virtio") => Ok(Self::Virtio),
            Some("scsi") => Ok(Self::Scsi),
            Some("sata") => Ok(Self::Sata),
            Some(other) => Err(SpecError::Property { key: KEY, value: other.to_owned(), allowed: "virtio, scsi or sata" }),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Scsi => "scsi",
            Self::Sata => "sata",
        }
    }

    fn device_name(self, letter: char) -> String {
        match self {
            Self::Virtio => format!("vd{letter}"),
            Self::Scsi | Self::Sata => format!("sd{letter}"),
        }
    }
}

fn disks(blueprint: &Blueprint, bus: DiskBus) -> Result<Vec<Element>, SpecError> {
    let disks = &blueprint.spec.disks;
    if blueprint.ceph.monitors.is_empty() && !disks.is_empty() {
        return Err(SpecError::NoMonitor);
    }
    if disks.len() > DISK_LIMIT {
        return Err(SpecError::TooManyDisks { count: disks.len(), limit: DISK_LIMIT });
    }
    disks.iter().zip('a'..='z').map(|(disk, letter)| rbd_disk(blueprint, disk, bus, letter)).collect()
}

fn rbd_disk(blueprint: &Blueprint, disk: &GuestDisk, bus: DiskBus, letter: char) -> Result<Element, SpecError> {
    let driver = Element::new("driver")
        .attribute("name", "qemu")
        .attribute("type", "raw")
        // librbd caches by itself and flushes when the guest says so; "writeback" lets the guest say so.
        .attribute("cache", "writeback")
        .attribute("discard", "unmap")
        // A fenced or broken client stops its guest instead of letting it see errors.
        .attribute("error_policy", "stop")
        .attribute("rerror_policy", "stop");
    // libvirt puts "client." before the name itself.
    let username = blueprint.ceph_client.strip_prefix("client.").unwrap_or(&blueprint.ceph_client);
    let secret = Element::new("secret").attribute("type", "ceph").attribute("uuid", blueprint.secret_uuid.to_string());
    let auth = Element::new("auth").attribute("username", username).child(secret);
    let target = Element::new("target").attribute("dev", bus.device_name(letter)).attribute("bus", bus.word());
    let element = Element::new("disk")
        .attribute("type", "network")
        .attribute("device", "disk")
        .child(driver)
        .child(auth)
        .child(source(blueprint, disk)?)
        .child(target)
        .children((!disk.role.is_writable()).then(|| Element::new("readonly")))
        .leaf("serial", serial_number(disk)?)
        .children(io_tune(&disk.limits))
        // Others may look as if they could be booted from.
        .children((disk.role == DiskRole::Root).then(|| Element::new("boot").attribute("order", "1")));
    Ok(element)
}

/// How fast the disk may be used, if there is a limit. The model's names are libvirt's.
fn io_tune(limits: &DiskLimits) -> Option<Element> {
    let tune = limits.iter().filter_map(|(name, value)| {
        let known = IO_TUNE.iter().find(|known| **known == name)?;
        Some(Element::new(known).text(value.to_string()))
    });
    (!limits.is_empty()).then(|| Element::new("iotune").children(tune))
}

/// The limits that libvirt knows.
const IO_TUNE: [&str; 13] = [
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
    "total_bytes_sec_max",
    "read_bytes_sec_max",
    "write_bytes_sec_max",
    "total_iops_sec_max",
    "read_iops_sec_max",
    "write_iops_sec_max",
    "size_iops_sec",
];

fn source(blueprint: &Blueprint, disk: &GuestDisk) -> Result<Element, SpecError> {
    // A slash would be read as a namespace's, an at-sign as a snapshot's.
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| can_carry(c) && !matches!(c, '/' | '@'));
    if !plain(&disk.pool) || !plain(&disk.image) {
        return Err(SpecError::DiskName { pool: disk.pool.clone(), image: disk.image.clone() });
    }
    let monitors = blueprint
        .ceph
        .monitors
        .iter()
        .map(|monitor| Element::new("host").attribute("name", &monitor.host).attribute("port", monitor.port.to_string()));
    Ok(Element::new("source")
        .attribute("protocol", "rbd")
        .attribute("name", format!("{}/{}", disk.pool, disk.image))
        .children(monitors)
        .children(blueprint.librbd_conf.as_ref().map(|path| Element::new("config").attribute("file", path.to_string_lossy()))))
}

fn serial_number(disk: &GuestDisk) -> Result<&str, SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match disk.serial.len() <= 20 && !disk.serial.is_empty() && disk.serial.chars().all(plain) {
        true => Ok(&disk.serial),
        false => Err(SpecError::Serial { serial: disk.serial.chars().take(64).collect() }),
    }
}

fn controller(kind: &str, model: &str) -> Element {
    Element::new("controller").attribute("type", kind).attribute("model", model)
}

/// The serial port is a terminal whose output is also appended to a log, which virtlogd keeps bounded.
fn serial(blueprint: &Blueprint) -> Element {
    let log = Element::new("log").attribute("file", blueprint.console_log.to_string_lossy()).attribute("append", "on");
    Element::new("serial").attribute("type", "pty").child(log).child(Element::new("target").attribute("port", "0"))
}

fn guest_agent() -> Element {
    let target = Element::new("target").attribute("type", "virtio").attribute("name", "org.qemu.guest_agent.0");
    Element::new("channel").attribute("type", "unix").child(target)
}

fn graphics(listen: &str) -> Element {
    Element::new("graphics")
        .attribute("type", "vnc")
        .attribute("port", "-1")
        .attribute("autoport", "yes")
        .attribute("listen", listen)
}

fn random() -> Element {
    let backend = Element::new("backend").attribute("model", "random").text("/dev/urandom");
    Element::new("rng").attribute("model", "virtio").child(backend)
}

fn balloon() -> Element {
    let stats = Element::new("stats").attribute("period", BALLOON_PERIOD);
    Element::new("memballoon").attribute("model", "virtio").child(stats)
}
