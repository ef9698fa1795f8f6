//! What must hold whatever happened: every disk and every domain belongs to a server, and every server
//! that runs has both.

use std::collections::BTreeMap;

use crate::{Cloud, Lab};

/// Compares what the API says with what Ceph and libvirt have. To be called when nothing is under way.
pub async fn assert_nothing_leaks(cloud: &Cloud, lab: &Lab, hosts: usize) {
    let answer = cloud.get("/compute/v2.1/servers/detail?all_tenants=1").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let servers: BTreeMap<String, String> = answer.body["servers"]
        .as_array()
        .expect("a list of servers")
        .iter()
        .map(|server| {
            (server["id"].as_str().unwrap_or_default().to_owned(), server["status"].as_str().unwrap_or_default().to_owned())
        })
        .collect();

    let disks = lab.images("vms");
    for disk in &disks {
        let owner = disk.trim_end_matches("_disk");
        assert!(servers.contains_key(owner), "disk {disk} belongs to no server");
    }
    let mut domains = Vec::new();
    for host in 1..=hosts {
        let listed = lab.virsh(&host.to_string(), &["list", "--all", "--uuid"]);
        domains.extend(listed.split_whitespace().map(str::to_owned));
    }
    for domain in &domains {
        assert_eq!(servers.get(domain).map(String::as_str), Some("ACTIVE"), "domain {domain} should not be");
    }
    for (id, status) in &servers {
        let (has_disk, running) = (disks.contains(&format!("{id}_disk")), domains.iter().filter(|domain| *domain == id).count());
        match status.as_str() {
            "ACTIVE" => assert!(has_disk && running == 1, "server {id} is ACTIVE with disk: {has_disk}, domains: {running}"),
            "SHUTOFF" => assert!(has_disk, "server {id} is SHUTOFF without its disk"),
            "ERROR" => assert!(!has_disk, "server {id} is in ERROR, and its disk is still there"),
            other => panic!("server {id} is still {other}"),
        }
    }
}
