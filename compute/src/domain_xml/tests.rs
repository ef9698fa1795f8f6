use std::collections::BTreeMap;

use cuttle_compute_protocol::{GuestDisk, MonitorAddress};
use cuttle_model::disk::DiskRole;
use cuttle_model::disk_limits::DiskLimits;
use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::*;

fn blueprint() -> Blueprint {
    let monitor = |host: &str, port| MonitorAddress { host: host.to_owned(), port };
    Blueprint {
        instance_id: "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b".parse().unwrap(),
        epoch: Epoch(3),
        spec: GuestSpec {
            name: "web".to_owned(),
            project_id: "p1".to_owned(),
            vcpus: 2,
            ram_mib: 512,
            disks: vec![GuestDisk {
                role: DiskRole::Root,
                pool: "vms".to_owned(),
                image: "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b_disk".to_owned(),
                serial: "8c1f0d0e-29e9-4c7b-9".to_owned(),
                limits: DiskLimits::default(),
            }],
            properties: BTreeMap::new(),
        },
        ceph: CephConnection { fsid: Uuid::from_u128(1), monitors: vec![monitor("10.78.0.1", 3300), monitor("fd00::1", 3300)] },
        ceph_client: "client.cuttle.host1.2".to_owned(),
        secret_uuid: Uuid::from_u128(2),
        librbd_conf: Some("/etc/ceph/cuttle.conf".into()),
        machine: MachineSettings {
            virt_type: VirtType::Qemu,
            cpu_model: CpuModel::HostModel,
            vnc_listen: "10.77.0.11".to_owned(),
        },
        console_log: "/var/lib/cuttle-compute/instances/8c1f/console.log".into(),
    }
}

fn at<'a, 'i>(node: Node<'a, 'i>, path: &str) -> Node<'a, 'i> {
    path.split('/').fold(node, |node, name| {
        let found = node.children().find(|child| child.tag_name().name() == name);
        found.unwrap_or_else(|| panic!("no {name} of {path}"))
    })
}

/// Compares a document with the one that people have looked at.
fn check_reviewed(file: &str, blueprint: &Blueprint) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain_xml").join(file);
    let xml = build(blueprint).unwrap().replace("><", ">\n<") + "\n";
    if std::env::var_os("UPDATE_REVIEWED").is_some() {
        std::fs::write(path, xml.replace(env!("CARGO_PKG_VERSION"), "VERSION")).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap().replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(xml, reviewed, "review the change; UPDATE_REVIEWED=1 writes {} anew", path.display());
}

#[test]
fn the_documents_are_what_was_reviewed() {
    check_reviewed("reviewed.xml", &blueprint());
    check_reviewed("reviewed-all-disks.xml", &all_disks());
}

#[test]
fn what_must_always_hold_is_in_the_document() {
    let xml = build(&blueprint()).unwrap();
    let document = Document::parse(&xml).unwrap();
    let domain = document.root_element();
    assert_eq!(at(domain, "on_crash").text(), Some("destroy"));
    assert_eq!(at(domain, "on_poweroff").text(), Some("destroy"));
    let driver = at(domain, "devices/disk/driver");
    assert_eq!(driver.attribute("error_policy"), Some("stop"));
    assert_eq!(driver.attribute("rerror_policy"), Some("stop"));
    let auth = at(domain, "devices/disk/auth");
    assert_eq!(auth.attribute("username"), Some("cuttle.host1.2"));
    assert_eq!(at(auth, "secret").attribute("uuid"), Some(Uuid::from_u128(2).to_string().as_str()));
    let source = at(domain, "devices/disk/source");
    assert_eq!(at(source, "config").attribute("file"), Some("/etc/ceph/cuttle.conf"));
    let hosts = source.children().filter(|child| child.has_tag_name("host"));
    let hosts: Vec<_> = hosts.map(|host| host.attribute("name")).collect();
    assert_eq!(hosts, [Some("10.78.0.1"), Some("fd00::1")]);
}

#[test]
fn an_agent_knows_its_guests_by_their_metadata() {
    let wanted = blueprint();
    let xml = metadata::element(&wanted).render();
    assert_eq!(metadata::epoch_of(&xml, wanted.instance_id), Some(Epoch(3)));
    assert_eq!(metadata::epoch_of(&xml, InstanceId::from_uuid(Uuid::nil())), None);
    let by_libvirt = xml.replace(&format!(" xmlns:cuttle=\"{}\"", metadata::NAMESPACE), "").replace("cuttle:", "");
    assert_eq!(metadata::epoch_of(&by_libvirt, wanted.instance_id), Some(Epoch(3)));
    assert_eq!(metadata::epoch_of("<guest/>", wanted.instance_id), None);
    assert_eq!(metadata::epoch_of("no xml", wanted.instance_id), None);
}

#[test]
fn the_cpu_fits_what_runs_it() {
    let mode = |virt_type, cpu_model| {
        let settings = MachineSettings { virt_type, cpu_model, vnc_listen: "::1".to_owned() };
        let xml = build(&Blueprint { machine: settings, ..blueprint() }).unwrap();
        let document = Document::parse(&xml).unwrap();
        at(document.root_element(), "cpu").attribute("mode").unwrap().to_owned()
    };
    assert_eq!(mode(VirtType::Qemu, CpuModel::HostPassthrough), "maximum");
    assert_eq!(mode(VirtType::Kvm, CpuModel::HostModel), "host-model");
    assert_eq!(mode(VirtType::Kvm, CpuModel::HostPassthrough), "host-passthrough");
}

#[test]
fn what_cannot_be_built_says_what_and_why() {
    type Change<'a> = &'a dyn Fn(&mut Blueprint);
    let refused = |change: Change<'_>| {
        let mut blueprint = blueprint();
        change(&mut blueprint);
        build(&blueprint).unwrap_err().to_string()
    };
    let named: [(Change<'_>, &str); 6] = [
        (&|b| b.spec.disks[0].image = "a/b".to_owned(), "a/b"),
        (&|b| b.spec.disks[0].pool = "p@s".to_owned(), "p@s"),
        (&|b| b.spec.disks[0].serial = "x".repeat(21), "20 characters"),
        (&|b| b.ceph.monitors.clear(), "monitor"),
        (&|b| b.spec.disks = vec![b.spec.disks[0].clone(); 27], "27 disks"),
        (&|b| drop(b.spec.properties.insert("hw_disk_bus".to_owned(), "floppy".to_owned())), "floppy"),
    ];
    for (change, name) in named {
        let error = refused(change);
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn disks_are_named_by_their_bus_and_boot_in_order() {
    for (bus, first) in [("virtio", "vda"), ("scsi", "sda"), ("sata", "sda")] {
        let mut blueprint = blueprint();
        blueprint.spec.properties.insert("hw_disk_bus".to_owned(), bus.to_owned());
        let xml = build(&blueprint).unwrap();
        let document = Document::parse(&xml).unwrap();
        let disk = at(document.root_element(), "devices/disk");
        assert_eq!(at(disk, "target").attribute("dev"), Some(first));
        assert_eq!(at(disk, "boot").attribute("order"), Some("1"));
    }
}

/// A guest with every kind of disk, and limits.
fn all_disks() -> Blueprint {
    let mut blueprint = blueprint();
    let id = blueprint.instance_id;
    let specs =
        [("quota:disk_read_iops_sec", "500"), ("quota:disk_read_iops_sec_max", "900"), ("quota:disk_total_bytes_sec", "1048576")];
    let specs = specs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let limits = DiskLimits::from_extra_specs(&specs.into_iter().collect()).unwrap();
    blueprint.spec.disks = DiskRole::ALL
        .into_iter()
        .map(|role| GuestDisk {
            role,
            pool: "vms".to_owned(),
            image: cuttle_model::disk::disk_name(id, role),
            serial: format!("{}{id}", role.serial_prefix())[..20].to_owned(),
            limits: if role.is_writable() { limits.clone() } else { DiskLimits::default() },
        })
        .collect();
    blueprint
}

#[test]
fn every_disk_has_its_policy_and_only_the_root_disk_boots() {
    let xml = build(&all_disks()).unwrap();
    let document = Document::parse(&xml).unwrap();
    let devices = at(document.root_element(), "devices");
    let disks: Vec<_> = devices.children().filter(|node| node.has_tag_name("disk")).collect();
    let has = |disk: &Node<'_, '_>, name: &str| disk.children().any(|child| child.has_tag_name(name));
    let of = |name: &str| disks.iter().map(|disk| has(disk, name)).collect::<Vec<_>>();
    assert_eq!(of("boot"), [true, false, false, false]);
    assert_eq!(of("readonly"), [false, false, false, true]);
    assert_eq!(of("iotune"), [true, true, true, false]);
    let targets: Vec<_> = disks.iter().map(|disk| at(*disk, "target").attribute("dev").unwrap()).collect();
    assert_eq!(targets, ["vda", "vdb", "vdc", "vdd"]);
    for disk in &disks {
        let driver = at(*disk, "driver");
        for (policy, value) in [("error_policy", "stop"), ("rerror_policy", "stop"), ("discard", "unmap")] {
            assert_eq!(driver.attribute(policy), Some(value));
        }
    }
    let tune = at(disks[0], "iotune");
    let values: Vec<_> = tune.children().map(|limit| (limit.tag_name().name(), limit.text().unwrap())).collect();
    assert_eq!(values, [("read_iops_sec", "500"), ("read_iops_sec_max", "900"), ("total_bytes_sec", "1048576")]);
}

#[test]
fn the_probe_has_the_cpu_of_real_guests_and_always_asks_for_kvm() {
    let files = probe::ProbeFiles { firmware: "/a<b".into(), output: "/c".into() };
    let xml = probe::probe_xml(&blueprint().machine, &files);
    let document = Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("type"), Some("kvm"));
    assert_eq!(at(document.root_element(), "cpu").attribute("mode"), Some("host-model"));
    assert_eq!(at(document.root_element(), "os/loader").text(), Some("/a<b"));
}

proptest! {
    #[test]
    fn hostile_names_do_not_change_the_shape(name in hostile(), project in hostile(), client in hostile()) {
        let mut wanted = blueprint();
        wanted.spec.name = name;
        wanted.spec.project_id = project;
        wanted.ceph_client = client;
        let xml = build(&wanted).unwrap();
        let document = Document::parse(&xml).unwrap();
        let shape = |document: &Document<'_>| -> Vec<String> {
            document.descendants().filter(Node::is_element).map(|node| node.tag_name().name().to_owned()).collect()
        };
        let plain = build(&blueprint()).unwrap();
        prop_assert_eq!(shape(&document), shape(&Document::parse(&plain).unwrap()));
        let metadata = at(document.root_element(), "metadata/guest");
        prop_assert_eq!(at(metadata, "epoch").text(), Some("3"));
        let title = at(document.root_element(), "title").text().unwrap_or("");
        prop_assert_eq!(title.chars().count(), wanted.spec.name.chars().count());
    }

    #[test]
    fn a_hostile_image_name_is_refused_or_kept_as_it_is(image in hostile()) {
        let mut wanted = blueprint();
        wanted.spec.disks[0].image = image.clone();
        if let Ok(xml) = build(&wanted) {
            let document = Document::parse(&xml).unwrap();
            let source = at(document.root_element(), "devices/disk/source");
            prop_assert_eq!(source.attribute("name").map(str::to_owned), Some(format!("vms/{image}")));
        }
    }
}

/// Text that is made of what has a meaning in XML more often than any text.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&\"'/!\\[\\]?a-z\n\t\r\u{0}\u{1b}\u{fffe}-]{0,60}",
        Just("]]></title><on_crash>restart</on_crash>".to_owned()),
        Just("'/><disk type='file'><source file='/etc/shadow'/></disk>".to_owned()),
    ]
}
