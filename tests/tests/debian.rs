//! A real Debian with cloud-init, booted from its clone: it takes its host name, key and user data from the
//! config drive, and grows its root file system to the flavor's disk. It says so on its console.
//! Long, because emulation is slow: part of `./check full`.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use cuttle_tests::{Cloud, Server, base64, eventually};
use serde_json::json;

/// cloud-init on an emulated CPU of a busy machine takes minutes.
const LIMIT: Duration = Duration::from_secs(900);
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHg1ZmFrZWtleWZvcmN1dHRsZXNvd250ZXN0c29ubHk0 cuttle-test";

/// What cloud-init runs last.
const USER_DATA: &str = r#"#cloud-config
runcmd:
  - [sh, -c, 'echo "CUTTLE-DEBIAN-hostname=$(hostname)" > /dev/ttyS0']
  - [sh, -c, 'echo "CUTTLE-DEBIAN-root-mib=$(df -m --output=size / | tail -1 | tr -d " ")" > /dev/ttyS0']
  - [sh, -c, 'echo "CUTTLE-DEBIAN-key=$(cut -d" " -f3 /home/debian/.ssh/authorized_keys)" > /dev/ttyS0']
  - [sh, -c, 'echo "CUTTLE-DEBIAN-product=$(cat /sys/class/dmi/id/product_name)" > /dev/ttyS0']
  - [sh, -c, 'echo "CUTTLE-DEBIAN-source=$(cloud-init query subplatform)" > /dev/ttyS0']
  - [sh, -c, 'echo CUTTLE-DEBIAN-DONE > /dev/ttyS0']
"#;

async fn upload(cloud: &Cloud) -> String {
    let path = std::env::var_os("CUTTLE_TEST_DEBIAN").map(PathBuf::from);
    let path = path.expect("CUTTLE_TEST_DEBIAN is not set: it names what guest/debian/build has made");
    let image = json!({"name": "debian", "disk_format": "raw", "container_format": "bare", "min_disk": 2});
    let image = cloud.post("/image/v2/images", &image).await;
    let id = image.body["id"].as_str().unwrap_or_else(|| panic!("{}", image.body)).to_owned();
    let file = tokio::fs::File::open(path).await.unwrap();
    let answer = cloud.put_bytes(&format!("/image/v2/images/{id}/file"), reqwest::Body::from(file)).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    id
}

async fn wait_for(cloud: &Cloud, server: &Server, text: &str) -> String {
    eventually(&format!("'{text}' on the console"), LIMIT, || async {
        let console = cloud.console(server).await;
        console.contains(text).then_some(console)
    })
    .await
}

#[tokio::test]
async fn debian_boots_from_its_clone_and_is_who_it_is_told_to_be() {
    let cloud = Cloud::from_env().await;
    let image = upload(&cloud).await;
    let flavor = json!({"flavor": {"name": "debian", "ram": 768, "vcpus": 1, "disk": 4}});
    let flavor = cloud.post("/compute/v2.1/flavors", &flavor).await;
    let flavor = flavor.body["flavor"]["id"].as_str().unwrap_or_else(|| panic!("{}", flavor.body)).to_owned();
    let keypair = json!({"keypair": {"name": "debian-key", "public_key": KEY}});
    let keypair = cloud.post("/compute/v2.1/os-keypairs", &keypair).await;
    assert!(keypair.status.is_success(), "{}", keypair.body);

    let server = json!({"server": {
        "name": "debian-test", "imageRef": image, "flavorRef": flavor, "config_drive": true,
        "key_name": "debian-key", "user_data": base64(USER_DATA.as_bytes()),
    }});
    let made = cloud.post("/compute/v2.1/servers", &server).await;
    assert_eq!(made.status, 202, "{}", made.body);
    let server = Server { id: made.body["server"]["id"].as_str().unwrap().to_owned() };
    cloud.wait_for(&server, "ACTIVE").await;

    let console = wait_for(&cloud, &server, "CUTTLE-DEBIAN-DONE").await;
    for expected in [
        "CUTTLE-DEBIAN-hostname=debian-test",
        "CUTTLE-DEBIAN-key=cuttle-test",
        "CUTTLE-DEBIAN-product=OpenStack Nova",
        "CUTTLE-DEBIAN-source=config-disk",
    ] {
        assert!(console.contains(expected), "{expected}: {console}");
    }
    let (_, size) = console.split_once("CUTTLE-DEBIAN-root-mib=").unwrap();
    let size: u64 = size.split_whitespace().next().unwrap().parse().unwrap();
    assert!(size > 3000, "the root file system has {size} MiB of a disk of 4 GiB");

    cloud.delete_server(&server).await;
    assert!(cloud.delete("/compute/v2.1/os-keypairs/debian-key").await.status.is_success());
    assert!(cloud.delete(&format!("/compute/v2.1/flavors/{flavor}")).await.status.is_success());
    assert_eq!(cloud.delete(&format!("/image/v2/images/{image}")).await.status, 204);
}
