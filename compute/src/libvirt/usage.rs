//! Which Ceph clients guests use: what their domains' live XML says, which is what QEMU was started with.

#![allow(unsafe_code)]

use virt_sys as sys;

use super::connection::{Connection, owned};
use super::domain::active;
use super::error::LibvirtError;

/// The Ceph clients of all domains that have a process, whoever made them, each once.
pub fn ceph_clients(connection: &Connection) -> Result<Vec<String>, LibvirtError> {
    let mut clients = Vec::new();
    for domain in active(connection)? {
        // SAFETY: the domain is valid during the call; the answer is ours to free. Without the flag for
        // secure information it holds no secret.
        let Some(xml) = (unsafe { owned(sys::virDomainGetXMLDesc(domain.raw(), 0)) }) else {
            let error = LibvirtError::last("read which Ceph client a guest uses");
            match error.is_no_domain() {
                true => continue,
                false => return Err(error),
            }
        };
        clients.extend(clients_in(&xml));
    }
    clients.sort();
    clients.dedup();
    Ok(clients)
}

/// The users of a domain's RBD disks, as Ceph names them.
fn clients_in(xml: &str) -> Vec<String> {
    let Ok(document) = roxmltree::Document::parse(xml) else { return Vec::new() };
    let is_rbd = |disk: &roxmltree::Node<'_, '_>| {
        disk.children().any(|child| child.has_tag_name("source") && child.attribute("protocol") == Some("rbd"))
    };
    let disks = document.descendants().filter(|node| node.has_tag_name("disk") && is_rbd(node));
    let users = disks.flat_map(|disk| disk.descendants().filter(|node| node.has_tag_name("auth")));
    users.filter_map(|auth| auth.attribute("username")).map(|user| format!("client.{user}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_of_rbd_disks_are_found_wherever_libvirt_puts_them() {
        let disk = |protocol: &str, user: &str| {
            let auth = format!("<auth username='{user}'><secret type='ceph' uuid='x'/></auth>");
            format!("<disk type='network'><source protocol='{protocol}' name='vms/a'>{auth}</source></disk>")
        };
        let outside = "<disk><auth username='cuttle.h.1'/><source protocol='rbd' name='vms/b'/></disk>";
        let xml = format!("<domain><devices>{}{}{outside}</devices></domain>", disk("rbd", "cuttle.h.2"), disk("iscsi", "no"));
        assert_eq!(clients_in(&xml), ["client.cuttle.h.2", "client.cuttle.h.1"]);
        assert!(clients_in("no xml").is_empty());
    }
}
