//! How an aggregate looks on the wire.

use std::collections::HashMap;

use cuttle_model::aggregate::Aggregate;
use cuttle_model::host::Host;
use cuttle_model::ids::HostId;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;

/// All that is shown of it.
pub fn aggregate(aggregate: &Aggregate, hosts: &HashMap<HostId, Host>, version: Microversion) -> Value {
    let mut shown = created(aggregate, version);
    shown["hosts"] = aggregate.hosts.iter().filter_map(|id| hosts.get(id)).map(|host| json!(host.name)).collect();
    shown["metadata"] = json!(aggregate.metadata);
    shown
}

/// As the answer to its creation: it has neither hosts nor metadata to speak of.
pub fn created(aggregate: &Aggregate, version: Microversion) -> Value {
    let mut shown = json!({
        "id": aggregate.number,
        "name": aggregate.name,
        "availability_zone": aggregate.availability_zone(),
        "created_at": aggregate.created_at.to_micros_naive(),
        "updated_at": aggregate.updated_at.map(|time| time.to_micros_naive()),
        "deleted": false,
        "deleted_at": null,
    });
    if version >= Microversion(41) {
        shown["uuid"] = json!(aggregate.id);
    }
    shown
}
