//! The main job on real parts: an image in Ceph, an instance that is a clone of it, and a guest whose
//! own console says that it runs.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use cuttle_tests::{Cloud, Lab, Server};
use serde_json::json;

const READY: &str = "CUTTLE-GUEST-READY";

struct Booted {
    cloud: Cloud,
    lab: Lab,
    server: Server,
    host: String,
}

async fn boot(name: &str) -> Booted {
    let cloud = Cloud::from_env().await;
    let server = cloud.create_server(name).await;
    let shown = cloud.wait_for(&server, "ACTIVE").await;
    let host = Lab::number(shown["OS-EXT-SRV-ATTR:host"].as_str().expect("an admin sees the host"));
    cloud.wait_for_console(&server, READY, 1).await;
    Booted { cloud, lab: Lab::from_env(), server, host }
}

#[tokio::test]
async fn an_instance_is_a_clone_that_boots() {
    let Booted { cloud, lab, server, host } = boot("clone").await;
    let disk = format!("vms/{}_disk", server.id);
    let image = cloud.image("tiny").await;

    let info = lab.rbd(&["info", &disk]);
    assert!(info.contains(&format!("parent: images/{image}@snap")), "{info}");
    for feature in ["layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"] {
        assert!(info.contains(feature), "{feature}: {info}");
    }
    assert!(info.contains("size 1 GiB"), "the flavor's size: {info}");
    let metadata = lab.rbd(&["image-meta", "list", &disk]);
    assert!(metadata.contains("cuttle.instance") && metadata.contains(&server.id), "{metadata}");

    let xml = lab.virsh(&host, &["dumpxml", &server.id]);
    for needed in ["<on_crash>destroy</on_crash>", "error_policy='stop'", "rerror_policy='stop'", &server.id as &str] {
        assert!(xml.contains(needed), "{needed}: {xml}");
    }
    let about = lab.virsh(&host, &["dominfo", &server.id]);
    assert!(about.contains("Persistent:     no") && about.contains("Autostart:      disable"), "{about}");

    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn the_secret_is_ephemeral_private_and_mended_before_a_start() {
    let Booted { cloud, lab, server, host } = boot("secret").await;
    let listed = lab.virsh(&host, &["secret-list"]);
    let uuid = listed.split_whitespace().next().unwrap_or_else(|| panic!("no secret: {listed}")).to_owned();
    let xml = lab.virsh(&host, &["secret-dumpxml", &uuid]);
    assert!(xml.contains("ephemeral='yes'") && xml.contains("private='yes'"), "{xml}");
    let value = lab.try_run(&["exec", &host, "--", "virsh", "-q", "secret-get-value", &uuid]);
    assert!(!value.status.success(), "a private secret's value must not be readable");

    lab.virsh(&host, &["secret-undefine", &uuid]);
    assert_eq!(cloud.act(&server, json!({"os-stop": null})).await.status, 202);
    cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(cloud.act(&server, json!({"os-start": null})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    assert!(lab.virsh(&host, &["secret-list"]).contains(&uuid), "the secret is back under its own uuid");
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn stop_shuts_the_guest_down_and_start_boots_the_same_disk() {
    let Booted { cloud, lab, server, host } = boot("power").await;
    assert_eq!(cloud.act(&server, json!({"os-stop": null})).await.status, 202);
    let shown = cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(shown["OS-EXT-STS:power_state"], 4);
    assert!(!lab.virsh(&host, &["list", "--all", "--uuid"]).contains(&server.id), "no domain is left");
    let conflict = cloud.act(&server, json!({"os-stop": null})).await;
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert!(conflict.body["conflictingRequest"]["message"].as_str().unwrap().contains("stopped"), "{}", conflict.body);

    assert_eq!(cloud.act(&server, json!({"os-start": null})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    let console = cloud.wait_for_console(&server, READY, 2).await;
    assert!(console.contains("CUTTLE-GUEST-DATA boots=2"), "the data of the first boot is there: {console}");
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn delete_leaves_no_domain_no_disk_and_something_in_the_trash() {
    let Booted { cloud, lab, server, host } = boot("delete").await;
    let disk = format!("{}_disk", server.id);
    cloud.delete_server(&server).await;
    assert!(!lab.images("vms").contains(&disk));
    assert!(lab.rbd(&["trash", "ls", "vms"]).contains(&disk), "the trash keeps it for a while");
    assert!(!lab.virsh(&host, &["list", "--all", "--uuid"]).contains(&server.id));
    assert_eq!(cloud.delete(&format!("/compute/v2.1/servers/{}", server.id)).await.status, 404);
}

#[tokio::test]
async fn a_guest_that_goes_by_itself_stops_its_instance() {
    let Booted { cloud, lab, server, host } = boot("by-itself").await;
    lab.virsh(&host, &["destroy", &server.id]);
    cloud.wait_for(&server, "SHUTOFF").await;
    // Its clients were not proven gone by anybody yet, so the start does that first.
    assert_eq!(cloud.act(&server, json!({"os-start": null})).await.status, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, READY, 2).await;
    cloud.delete_server(&server).await;
}
