//! Guests on real parts: all their disks, what they are told, and how they are rebooted and stopped. The
//! guest itself says what it found, on its console.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use cuttle_tests::{Cloud, Lab, Server, base64};
use serde_json::{Value, json};

const READY: &str = "CUTTLE-GUEST-READY";
/// Well below the minute in which a guest may shut down.
const PROMPT: Duration = Duration::from_secs(45);

/// The number of the epoch in which the server's guest runs, by its domain's metadata.
fn epoch(lab: &Lab, host: &str, server: &Server) -> u64 {
    let xml = lab.virsh(host, &["dumpxml", &server.id]);
    let (_, rest) = xml.split_once("<cuttle:epoch>").unwrap_or_else(|| panic!("no epoch: {xml}"));
    rest.split('<').next().unwrap().parse().unwrap()
}

fn host_of(shown: &Value) -> String {
    Lab::number(shown["OS-EXT-SRV-ATTR:host"].as_str().expect("an admin sees the host"))
}

async fn make(cloud: &Cloud, server: Value) -> (Server, Value) {
    let answer = cloud.post("/compute/v2.1/servers", &json!({ "server": server })).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let made = answer.body["server"].clone();
    (Server { id: made["id"].as_str().unwrap().to_owned() }, made)
}

#[tokio::test]
async fn reboots_run_new_guests_on_the_same_disk() {
    let cloud = Cloud::from_env().await;
    let lab = Lab::from_env();
    let server = cloud.create_server("reboot").await;
    let host = host_of(&cloud.wait_for(&server, "ACTIVE").await);
    cloud.wait_for_console(&server, READY, 1).await;
    assert_eq!(epoch(&lab, &host, &server), 1);

    for (kind, boots) in [("SOFT", 2), ("HARD", 3)] {
        let answer = cloud.act(&server, json!({"reboot": {"type": kind}})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let shown = cloud.server(&server).await;
        assert!(["REBOOT", "HARD_REBOOT", "ACTIVE"].contains(&shown["status"].as_str().unwrap()), "{shown:#}");
        cloud.wait_for(&server, "ACTIVE").await;
        let console = cloud.wait_for_console(&server, READY, boots).await;
        assert!(console.contains(&format!("CUTTLE-GUEST-DATA boots={boots}")), "{kind}: the same disk: {console}");
        assert_eq!(epoch(&lab, &host, &server), boots as u64, "{kind}: a new epoch");
    }
    let console = cloud.console(&server).await;
    assert_eq!(console.matches("CUTTLE-GUEST-POWEROFF").count(), 1, "only the soft one asked the guest: {console}");

    // From SHUTOFF, and never softly.
    assert_eq!(cloud.act(&server, json!({"os-stop": null})).await.status, 202);
    cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(cloud.act(&server, json!({"reboot": {"type": "SOFT"}})).await.status, 409);
    assert_eq!(cloud.act(&server, json!({"reboot": {"type": "HARD"}})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, READY, 4).await;
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn a_guest_that_ignores_its_power_button_is_stopped_all_the_same() {
    let cloud = Cloud::from_env().await;
    let lab = Lab::from_env();
    let server = deaf(&cloud, "deaf").await;
    let host = host_of(&cloud.server(&server).await);

    assert_eq!(cloud.act(&server, json!({"os-stop": null})).await.status, 202);
    let shown = cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(shown["OS-EXT-STS:power_state"], 4);
    assert!(!lab.virsh(&host, &["list", "--all", "--uuid"]).contains(&server.id), "its plug was pulled");
    assert!(!cloud.console(&server).await.contains("CUTTLE-GUEST-POWEROFF"), "it did not hear the button");
    cloud.delete_server(&server).await;
}

/// A guest that does nothing when its power button is pressed: without what the button would run.
async fn deaf(cloud: &Cloud, name: &str) -> Server {
    let (image, flavor) = (cloud.image("tiny").await, cloud.flavor("tiny").await);
    let user_data = base64(b"#!/bin/sh\nrm -r /etc/acpi\n");
    let wanted = json!({"name": name, "imageRef": image, "flavorRef": flavor, "user_data": user_data});
    let (server, made) = make(cloud, wanted).await;
    assert!(made["adminPass"].as_str().is_some_and(|password| password.len() == 20), "the drive carries a new password");
    cloud.wait_for(&server, "ACTIVE").await;
    let console = cloud.wait_for_console(&server, READY, 1).await;
    assert!(console.contains("CUTTLE-GUEST-USER-DATA status=0"), "{console}");
    server
}

#[tokio::test]
async fn whoever_is_in_a_hurry_does_not_wait_for_a_guest_that_shuts_down() {
    let cloud = Cloud::from_env().await;
    let lab = Lab::from_env();
    let server = deaf(&cloud, "hurry").await;
    let host = host_of(&cloud.server(&server).await);
    assert_eq!(cloud.act(&server, json!({"reboot": {"type": "SOFT"}})).await.status, 202);
    assert_eq!(cloud.server(&server).await["status"], "REBOOT");
    let listed = cloud.get("/compute/v2.1/servers?status=reboot").await;
    assert!(listed.body["servers"].to_string().contains(&server.id), "{}", listed.body);
    let listed = cloud.get("/compute/v2.1/servers?status=HARD_REBOOT").await;
    assert!(!listed.body["servers"].to_string().contains(&server.id), "{}", listed.body);

    let begun = Instant::now();
    assert_eq!(cloud.act(&server, json!({"reboot": {"type": "HARD"}})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    assert!(begun.elapsed() < PROMPT, "a hard reboot took {:?}", begun.elapsed());
    assert_eq!(epoch(&lab, &host, &server), 2);
    let actions = cloud.get(&format!("/operator/v1/instances/{}/events", server.id)).await;
    let ends: Vec<_> = actions.body["operations"].as_array().unwrap().iter().map(|done| &done["status"]).collect();
    assert_eq!(ends[..2], ["succeeded", "undone"], "{}", actions.body);

    cloud.wait_for_console(&server, READY, 2).await;
    assert_eq!(cloud.act(&server, json!({"os-stop": null})).await.status, 202);
    let begun = Instant::now();
    assert!(cloud.console(&server).await.contains(READY));
    cloud.delete_server(&server).await;
    assert!(begun.elapsed() < PROMPT, "a delete took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_flavors_limits_hold_for_the_disk_in_each_of_its_guests() {
    let cloud = Cloud::from_env().await;
    let lab = Lab::from_env();
    let flavor = json!({"flavor": {"name": "limited", "ram": 64, "vcpus": 1, "disk": 1}});
    let flavor = cloud.post("/compute/v2.1/flavors", &flavor).await;
    let flavor = flavor.body["flavor"]["id"].as_str().unwrap_or_else(|| panic!("{}", flavor.body)).to_owned();
    let specs = json!({"extra_specs": {"quota:disk_total_iops_sec": "400", "quota:disk_total_iops_sec_max": "800",
        "quota:disk_write_bytes_sec": "10485760"}});
    let path = format!("/compute/v2.1/flavors/{flavor}/os-extra_specs");
    assert_eq!(cloud.post(&path, &specs).await.status, 200);
    let wanted = json!({"name": "limited", "imageRef": cloud.image("tiny").await, "flavorRef": flavor});
    let (server, _) = make(&cloud, wanted).await;
    let host = host_of(&cloud.wait_for(&server, "ACTIVE").await);
    let limits = || {
        let shown = lab.virsh(&host, &["blkdeviotune", &server.id, "vda"]);
        let value = |name: &str| {
            let line = shown.lines().find(|line| line.split(':').next().unwrap_or("").trim() == name);
            line.and_then(|line| line.split_whitespace().last()).unwrap_or_else(|| panic!("{name}: {shown}")).to_owned()
        };
        ["total_iops_sec", "total_iops_sec_max", "write_bytes_sec", "read_bytes_sec"].map(value)
    };
    assert_eq!(limits(), ["400", "800", "10485760", "0"]);
    assert_eq!(cloud.act(&server, json!({"reboot": {"type": "HARD"}})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    assert_eq!(limits(), ["400", "800", "10485760", "0"], "made anew");
    cloud.delete_server(&server).await;
    assert_eq!(cloud.delete(&format!("/compute/v2.1/flavors/{flavor}")).await.status, 202);
}

/// What the guest runs: it looks at its disks and its config drive, as its root.
const USER_DATA: &str = r#"#!/bin/sh
swapon /dev/vdc && echo "CUTTLE-GUEST-SWAP kib=$(awk 'NR == 2 { print $3 }' /proc/swaps)"
echo "CUTTLE-GUEST-EPHEMERAL device=$(findfs LABEL=ephemeral0)"
for disk in vda vdb vdc vdd; do
    echo "CUTTLE-GUEST-DISK $disk ro=$(cat /sys/block/$disk/ro) serial=$(cat /sys/block/$disk/serial)"
done
grep -q '"admin_pass":"Chosen-By-The-User-1"' /config/openstack/2018-08-27/meta_data.json && echo CUTTLE-GUEST-PASSWORD-IS-THERE
grep -q '"meta":{"role":"web"}' /config/openstack/latest/meta_data.json && echo CUTTLE-GUEST-META-IS-THERE
grep -q '"ephemeral0":"/dev/vdb"' /config/ec2/latest/meta-data.json && echo CUTTLE-GUEST-EC2-IS-THERE
"#;

#[tokio::test]
async fn a_guest_has_all_its_disks_and_is_told_who_it_is() {
    let cloud = Cloud::from_env().await.with_microversion("2.3");
    let lab = Lab::from_env();
    let flavor =
        json!({"flavor": {"name": "all-disks", "ram": 128, "vcpus": 1, "disk": 1, "OS-FLV-EXT-DATA:ephemeral": 1, "swap": 64}});
    let flavor = cloud.post("/compute/v2.1/flavors", &flavor).await;
    let flavor = flavor.body["flavor"]["id"].as_str().unwrap_or_else(|| panic!("{}", flavor.body)).to_owned();
    let user_data = base64(USER_DATA.as_bytes());
    let (server, made) = make(
        &cloud,
        json!({
            "name": "Drive One", "imageRef": cloud.image("tiny").await, "flavorRef": flavor, "config_drive": true,
            "user_data": user_data, "adminPass": "Chosen-By-The-User-1", "metadata": {"role": "web"},
        }),
    )
    .await;
    assert_eq!(made["adminPass"], "Chosen-By-The-User-1");
    let shown = cloud.wait_for(&server, "ACTIVE").await;
    assert_eq!(shown["config_drive"], "True");
    assert_eq!(shown["OS-EXT-SRV-ATTR:user_data"], user_data);
    let host = host_of(&shown);

    let console = cloud.wait_for_console(&server, READY, 1).await;
    let id = &server.id;
    for expected in [
        format!("CUTTLE-GUEST-CONFIG device=/dev/vdd uuid={id} hostname=drive-one"),
        "CUTTLE-GUEST-SWAP kib=65532".to_owned(),
        "CUTTLE-GUEST-EPHEMERAL device=/dev/vdb".to_owned(),
        format!("CUTTLE-GUEST-DISK vda ro=0 serial={}", &id[..20]),
        format!("CUTTLE-GUEST-DISK vdb ro=0 serial=eph0-{}", &id[..15]),
        format!("CUTTLE-GUEST-DISK vdc ro=0 serial=swap-{}", &id[..15]),
        format!("CUTTLE-GUEST-DISK vdd ro=1 serial=config-{}", &id[..13]),
        "CUTTLE-GUEST-PASSWORD-IS-THERE".to_owned(),
        "CUTTLE-GUEST-META-IS-THERE".to_owned(),
        "CUTTLE-GUEST-EC2-IS-THERE".to_owned(),
        "CUTTLE-GUEST-USER-DATA status=0".to_owned(),
    ] {
        assert!(console.contains(&expected), "{expected}: {console}");
    }

    let names: Vec<String> = ["", ".eph0", ".swap", ".config"].iter().map(|suffix| format!("{id}_disk{suffix}")).collect();
    let images = lab.images("vms");
    for name in &names {
        assert!(images.contains(name), "{name}: {images:?}");
        assert!(lab.rbd(&["status", &format!("vms/{name}")]).contains("watcher="), "{name} is open in the guest's process");
    }
    let xml = lab.virsh(&host, &["dumpxml", id]);
    assert_eq!(xml.matches("error_policy='stop'").count() - xml.matches("rerror_policy='stop'").count(), 4, "{xml}");
    cloud.delete_server(&server).await;
    let trashed = lab.rbd(&["trash", "ls", "vms"]);
    assert!(names.iter().all(|name| trashed.contains(name)), "{trashed}");
    assert_eq!(cloud.delete(&format!("/compute/v2.1/flavors/{flavor}")).await.status, 202);
}
