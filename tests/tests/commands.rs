//! The unmodified `openstack` client's commands on what is there, one after the other, as administrators and
//! users type them: at the client's own microversion, and at the newest that the cloud has.
//!
//! What each answers in detail is other tests' matter; here every command works as it is.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use cuttle_tests::{Cloud, OpenStack, Server};
use serde_json::json;

/// On the cloud as a whole. `{project}` is the caller's.
const ABOUT_THE_CLOUD: &[&str] = &[
    "catalog show compute",
    "service show nova",
    "region show RegionOne",
    "versions show",
    "availability zone list --compute --long",
    "compute service list --service nova-compute --long",
    "compute service set --disable --disable-reason mended host1 nova-compute",
    "compute service set --enable host1 nova-compute",
    "hypervisor list --long",
    "hypervisor list --matching host",
    "extension list --compute",
    "quota show --default --compute",
    "quota show --usage --compute {project}",
    "quota list --compute",
    "quota set --class --key-pairs 100 default",
    "usage list",
    "usage show",
];

/// Before microversion 2.75 only: the client sends what newer ones refuse, as Nova does.
const OLDER_ONLY: &[&str] = &[
    "limits show --absolute --reserved",
    "limits show --rate",
    "limits show --absolute --project {project}",
    "hypervisor stats show",
];

/// On flavors and keys of this test; `{n}` begins their names.
const AROUND: &[&str] = &[
    "keypair create {n}key --public-key {key}",
    "keypair list",
    "keypair show {n}key",
    "flavor create {n}flavor --ram 64 --vcpus 1 --disk 1 --private --property own=1 --ephemeral 0 --swap 0",
    "flavor list --all --long",
    "flavor list --public",
    "flavor list --private --limit 1 --min-ram 64",
    "flavor set {n}flavor --property quota:disk_total_iops_sec=1000 --project {project}",
    "flavor show {n}flavor",
    "flavor unset {n}flavor --property own",
];

/// On one server that runs, named `{n}server`.
const ON_A_SERVER: &[&str] = &[
    "server list --long --all-projects",
    "server list -n --name {n} --status ACTIVE --sort-column name",
    "server list --deleted --limit 1",
    "server list --changes-since 2020-01-01T00:00:00Z",
    "server list --flavor {n}flavor --image tiny",
    "server list --user admin --project admin --power-state running --vm-state active --availability-zone nova",
    "server list --key-name {n}key",
    "server list --ip 1",
    "server show {n}server",
    "server set {n}server --property b=2",
    "server unset {n}server --property b",
    "server lock {n}server",
    "server unlock {n}server",
    "server reboot --hard --wait {n}server",
    "server reboot --wait {n}server",
    "console log show --lines 3 {n}server",
    "server event list --long {n}server",
];

/// From the newest microversion on only.
const NEWER_ONLY: &[&str] = &[
    "keypair list --user admin --limit 1",
    "flavor set {n}flavor --description noted",
    "server set {n}server --tag red --description noted --hostname other",
    "server unset {n}server --tag red --description",
    "server lock {n}server --reason careful",
    "server list --locked",
    "server unlock {n}server",
    "server list --config-drive",
    "hypervisor list --limit 1",
];

const AT_THE_END: &[&str] =
    &["server delete --wait {n}server {n}more-1 {n}more-2", "flavor delete {n}flavor", "keypair delete {n}key"];

struct Run<'a> {
    openstack: OpenStack,
    version: &'a str,
    words: Vec<(&'static str, String)>,
}

impl Run<'_> {
    fn all(&mut self, commands: &[&str]) {
        commands.iter().for_each(|command| drop(self.one(command)));
    }

    fn one(&mut self, command: &str) -> String {
        let mut command = command.to_owned();
        for (word, value) in &self.words {
            command = command.replace(&format!("{{{word}}}"), value);
        }
        let arguments = ["--os-compute-api-version", self.version].into_iter().chain(command.split(' ')).collect::<Vec<_>>();
        self.openstack.run(&arguments)
    }
}

#[tokio::test]
async fn the_openstack_clients_commands_work_at_the_oldest_and_the_newest_microversion() {
    let cloud = Cloud::from_env().await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com\n")
        .unwrap();
    for version in ["2.1", "2.100"] {
        let name = format!("commands-{}-", version.replace('.', "-"));
        // A process of its own: the client remembers the first microversion that it was told.
        let mut openstack = OpenStack::new();
        let project = openstack.json(&["token", "issue"])["project_id"].as_str().unwrap().to_owned();
        let words = vec![("n", name.clone()), ("project", project), ("key", path(&key))];
        let mut run = Run { openstack, version, words };
        run.all(AROUND);
        run.all(ABOUT_THE_CLOUD);
        let newest = version != "2.1";
        let noted = if newest { " --tag blue --description noted --hostname noted --nic none" } else { "" };
        let create = "server create --wait --image tiny --flavor {n}flavor";
        run.one(&format!("{create} --key-name {{n}}key --property a=1{noted} {{n}}server"));
        run.one(&format!("{create} --min 1 --max 2{} {{n}}more", if newest { " --nic none" } else { "" }));
        run.all(ON_A_SERVER);
        run.all(if newest { NEWER_ONLY } else { OLDER_ONLY });
        let events = run.one("server event list -f json {n}server");
        let events: serde_json::Value = serde_json::from_str(&events).unwrap();
        let request = events[0]["Request ID"].as_str().unwrap().to_owned();
        run.one(&format!("server event show {{n}}server {request}"));

        let id = run.one("server show -c id -f value {n}server").trim().to_owned();
        let server = Server { id };
        run.one("server stop {n}server");
        cloud.wait_for(&server, "SHUTOFF").await;
        run.one("server start {n}server");
        assert_eq!(cloud.wait_for(&server, "ACTIVE").await["metadata"], json!({"a": "1"}));
        run.all(AT_THE_END);
    }
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
