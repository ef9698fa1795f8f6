//! What the views of servers, services and hypervisors say of hosts.

use std::collections::HashMap;

use cuttle_model::host::{Administrative, Host};
use cuttle_model::ids::HostId;
use sha2::{Digest, Sha224};

use crate::error::ApiError;
use crate::shared::Shared;

/// All hosts by id: one query for a whole page.
pub async fn by_id(shared: &Shared) -> Result<HashMap<HostId, Host>, ApiError> {
    let hosts = shared.database.list_hosts().await?;
    Ok(hosts.into_iter().map(|host| (host.id, host)).collect())
}

/// Was the host heard of lately?
pub fn is_up(shared: &Shared, host: &Host) -> bool {
    host.last_seen_at.is_some_and(|seen| shared.now().since(seen) <= shared.host_down_after)
}

/// `enabled` or `disabled`, and why.
pub fn administrative(host: &Host) -> (&'static str, Option<&str>) {
    match &host.administrative {
        Administrative::Enabled => ("enabled", None),
        Administrative::Disabled { reason } => ("disabled", reason.as_deref()),
    }
}

/// A name for a host that says nothing of it, and differs from project to project.
pub fn opaque_id(project: &str, host: &str) -> String {
    Sha224::digest(format!("{project}{host}").as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
