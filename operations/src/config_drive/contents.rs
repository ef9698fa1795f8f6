//! What a guest is told: the files of OpenStack's and EC2's metadata trees.
//!
//! Each version of OpenStack's tree holds what that version knew, so that a guest finds what it was
//! written for. The versions and fields are Nova's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cuttle_model::disk::DiskRole;
use cuttle_model::ids::Ids;
use cuttle_model::instance::Instance;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use super::iso::Files;

/// Versions of OpenStack's tree, oldest first; they sort as text.
const VERSIONS: [&str; 11] = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
    "latest",
];
/// Versions of EC2's tree that guests look for.
const EC2_VERSIONS: [&str; 2] = ["2009-04-04", "latest"];
/// Where an instance is whose user did not choose.
const DEFAULT_ZONE: &str = "nova";

/// All that the files are made from.
pub(super) struct Contents<'a> {
    pub instance: &'a Instance,
    /// In base64.
    pub user_data: Option<&'a str>,
    pub keys: Vec<Key<'a>>,
    pub admin_password: Option<&'a SecretString>,
    /// The same for all guests of the site.
    pub vendor_data: &'a Map<String, Value>,
    /// Bytes that no other guest gets.
    pub random_seed: Vec<u8>,
}

/// A public key under the name that its owner gave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub name: &'a str,
    /// `ssh` or `x509`.
    pub kind: &'a str,
    pub text: &'a str,
}

/// The user data is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the user data is not base64")]
pub(super) struct BadUserData;

/// User data as the guest gets it. Clients break its lines.
pub fn decode_user_data(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

/// 512 bytes for the guest's random numbers.
pub(super) fn random_seed(ids: &dyn Ids) -> Vec<u8> {
    // Each block has the randomness of four random UUIDs.
    let block =
        |_| Sha512::new().chain_update([ids.uuid(), ids.uuid(), ids.uuid(), ids.uuid()].map(|id| *id.as_bytes()).concat());
    (0..8).flat_map(|index| block(index).finalize().to_vec()).collect()
}

impl Contents<'_> {
    /// The files of the drive.
    pub fn files(&self) -> Result<Files, BadUserData> {
        let user_data = self.user_data.map(|text| decode_user_data(text).ok_or(BadUserData)).transpose()?;
        let mut files = Files::new();
        for version in VERSIONS {
            let mut put = |name: &str, contents: Vec<u8>| drop(files.insert(format!("openstack/{version}/{name}"), contents));
            put("meta_data.json", bytes(&self.meta_data(version)));
            if let Some(user_data) = &user_data {
                put("user_data", user_data.clone());
            }
            if version >= "2013-10-17" {
                put("vendor_data.json", bytes(&json!(self.vendor_data)));
            }
            if version >= "2015-10-15" {
                put("network_data.json", bytes(&json!({"links": [], "networks": [], "services": []})));
            }
            if version >= "2016-10-06" {
                put("vendor_data2.json", bytes(&json!({ "static": self.vendor_data })));
            }
        }
        for version in EC2_VERSIONS {
            files.insert(format!("ec2/{version}/meta-data.json"), bytes(&self.ec2()));
            if let Some(user_data) = &user_data {
                files.insert(format!("ec2/{version}/user-data"), user_data.clone());
            }
        }
        Ok(files)
    }

    fn zone(&self) -> &str {
        self.instance.availability_zone.as_deref().unwrap_or(DEFAULT_ZONE)
    }

    fn meta_data(&self, version: &str) -> Value {
        let instance = self.instance;
        let mut data = json!({
            "uuid": instance.id,
            "hostname": instance.hostname,
            "name": instance.name,
            "launch_index": instance.launch_index,
            "availability_zone": self.zone(),
        });
        if !instance.metadata.is_empty() {
            data["meta"] = json!(instance.metadata);
        }
        if !self.keys.is_empty() {
            let keys = self.keys.iter();
            data["public_keys"] = keys.clone().map(|key| (key.name.to_owned(), json!(key.text))).collect();
            data["keys"] = keys.map(|key| json!({"name": key.name, "type": key.kind, "data": key.text})).collect();
        }
        if let Some(password) = self.admin_password {
            data["admin_pass"] = json!(password.expose_secret());
        }
        if version >= "2013-04-04" {
            data["random_seed"] = json!(STANDARD.encode(&self.random_seed));
        }
        if version >= "2015-10-15" {
            data["project_id"] = json!(instance.project_id);
        }
        if version >= "2016-06-30" {
            data["devices"] = json!([]);
        }
        if version >= "2020-10-14" {
            data["dedicated_cpus"] = json!([]);
        }
        data
    }

    fn ec2(&self) -> Value {
        let instance = self.instance;
        // EC2's ids have eight digits.
        let short = |prefix: &str, id: String| format!("{prefix}-{}", id.chars().take(8).collect::<String>());
        let mut data = json!({
            "ami-id": instance.image_id.map_or_else(String::new, |id| short("ami", id.to_string())),
            "ami-launch-index": instance.launch_index,
            // The word that Nova has there: guests look for the key, not for what it says.
            "ami-manifest-path": "FIXME",
            "block-device-mapping": self.block_devices(),
            "hostname": instance.hostname,
            "instance-action": "none",
            "instance-id": short("i", instance.id.to_string()),
            "instance-type": instance.flavor.name,
            "local-hostname": instance.hostname,
            "local-ipv4": "",
            "placement": { "availability-zone": self.zone() },
            "public-hostname": instance.hostname,
            "public-ipv4": "",
            "reservation-id": short("r", instance.id.to_string()),
            "security-groups": [],
        });
        if !self.keys.is_empty() {
            let keys = self.keys.iter().enumerate();
            data["public-keys"] = keys
                .map(|(index, key)| {
                    (index.to_string(), json!({"_name": format!("{index}={}", key.name), "openssh-key": key.text}))
                })
                .collect();
        }
        data
    }

    /// Where the guest finds its disks, if it has virtio's names for them.
    fn block_devices(&self) -> Value {
        let extra = self.instance.flavor.extra_disks();
        let mut devices = json!({"ami": "vda", "root": "/dev/vda"});
        for ((role, _), letter) in extra.iter().zip('b'..='z') {
            let name = match role {
                DiskRole::Ephemeral => "ephemeral0",
                DiskRole::Swap => "swap",
                DiskRole::Root | DiskRole::Config => continue,
            };
            devices[name] = json!(format!("/dev/vd{letter}"));
        }
        devices
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
