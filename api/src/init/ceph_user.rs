//! The control plane's Ceph user, made with an administrator's keyring that is lent for this one run.

use std::fs;
use std::path::Path;

use cuttle_operations::Settings;
use cuttle_rbd_backend::ClientCaps;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Ceph, Config};
use crate::init::InitError;
use crate::init::files::{in_file, write};
use crate::serve::connect_ceph;

/// Makes the user, or gives it the rights that it is to have, and writes its keyring; says what it did.
pub async fn make(admin_keyring: &Path, config: &Config) -> Result<String, InitError> {
    let Ceph { client, keyring, .. } = &config.ceph;
    let keyring = keyring.as_ref().ok_or_else(|| InitError::NoKeyring { client: client.clone() })?;
    let text = in_file(admin_keyring, "read", fs::read_to_string(admin_keyring).map(SecretString::from))?;
    let admin = first_user(text.expose_secret()).ok_or_else(|| InitError::NoCephUser { path: admin_keyring.to_owned() })?;
    let lent = Ceph { client: admin.to_owned(), keyring: Some(admin_keyring.to_owned()), ..config.ceph.clone() };
    let cluster = connect_ceph(&lent).await?;
    let key = cluster.ensure_client(client, &caps(&config.operations)).await;
    let key = key.map_err(|source| InitError::CephUser { client: client.clone(), source })?;
    let wanted = SecretString::from(format!("[{client}]\n\tkey = {}\n", key.expose_secret()));
    let has = fs::read_to_string(keyring).map(SecretString::from);
    if has.is_ok_and(|has| has.expose_secret() == wanted.expose_secret()) {
        return Ok(format!("the user {client} has its rights; its keyring {} is kept", keyring.display()));
    }
    write(keyring, wanted.expose_secret().as_bytes(), 0o600)?;
    Ok(format!("the user {client} has its rights; wrote its keyring {}", keyring.display()))
}

/// `client.admin` of `[client.admin]`.
fn first_user(keyring: &str) -> Option<&str> {
    keyring.lines().find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'))
}

/// What the control plane may do; `ansible/roles/control/files/ceph-caps.json` is the same for the usual
/// pools. Of users it may touch only those of hosts.
fn caps(settings: &Settings) -> ClientCaps {
    let of_hosts = ["auth get-or-create", "auth caps", "auth get", "auth rm"]
        .map(|command| format!("allow command \"{command}\" with entity prefix client.cuttle."));
    let mon = ["profile rbd", "allow r"].map(str::to_owned).into_iter();
    let commands = ["osd pool create", "osd pool application enable", "osd blocklist"];
    let commands = commands.map(|command| format!("allow command \"{command}\""));
    let pools = [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool];
    let pools = pools.map(|pool| format!("profile rbd pool={pool}"));
    ClientCaps {
        mon: mon.chain(commands).chain(of_hosts).collect::<Vec<_>>().join(", "),
        osd: format!("{}, allow rwx pool={}", pools.join(", "), settings.lease_pool),
        mgr: "allow r".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_are_those_that_ansible_gives() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ansible/roles/control/files/ceph-caps.json");
        let file: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let ours = caps(&Settings::default());
        assert_eq!(serde_json::json!({"mon": ours.mon, "osd": ours.osd, "mgr": ours.mgr}), file);
    }

    #[test]
    fn a_keyring_names_its_user() {
        assert_eq!(first_user("# x\n[client.admin]\n\tkey = AQ==\n"), Some("client.admin"));
        assert_eq!(first_user("key = AQ=="), None);
    }
}
