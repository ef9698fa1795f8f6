//! Fencing clients: entries on the OSD map's blocklist, by address and nonce, so that one process is cut off and no other.

use crate::cluster::Cluster;
use crate::error::{Attempt, Effect, Error};
use crate::monitor::{self, Answer};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

impl Cluster {
    /// Puts clients on the blocklist, each as `ip:port/nonce`, for this long from now, and waits until the map that says so
    /// is ours.
    ///
    /// An OSD takes no request of ours before it has that map too; so what we touch after this, they cannot change any more.
    /// An entry that is there keeps the later of the two ends.
    pub async fn fence(&self, addresses: &[String], expiry: Duration) -> Result<(), Error> {
        let addresses = addresses.to_vec();
        let attempt = Attempt { object: Some(addresses.join(", ")), ..Attempt::on_cluster("fence", Effect::Change) };
        self.call(attempt, move |inner, attempt| {
            for address in &addresses {
                // A whole address, which is one without a nonce, would cut off everything on that machine.
                if !is_one_client(address) {
                    return Err(attempt.refused(format!("{address:?} is not the address of one client (ip:port/nonce)")));
                }
                let add = json!({
                    "prefix": "osd blocklist", "blocklistop": "add", "addr": address, "expire": expiry.as_secs_f64(),
                });
                monitor::command(inner, attempt, &add, Answer::Plain)?;
            }
            inner.connection().wait_for_latest_map().map_err(|errno| attempt.ceph(errno))
        })
        .await
    }
}

fn is_one_client(address: &str) -> bool {
    address.split_once('/').is_some_and(|(socket, nonce)| {
        // A nonce of 0 means every client at that address.
        socket.parse::<SocketAddr>().is_ok() && nonce.parse::<u32>().is_ok_and(|nonce| nonce != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::is_one_client;

    #[test]
    fn only_one_process_is_ever_fenced() {
        assert!(is_one_client("10.0.0.1:0/42") && is_one_client("[fd00::1]:0/42"));
        for address in ["10.0.0.1", "10.0.0.1:0/0", "10.0.0.1:0", "10.0.0.0/24", "", "10.0.0.1:0/x", "10.0.0.1:0/1 3600"] {
            assert!(!is_one_client(address), "{address}");
        }
    }
}
