//! How a flavor looks on the wire.

use std::collections::BTreeMap;

use cuttle_model::flavor::Flavor;
use serde::Serialize;
use serde_json::{Value, json};

use crate::compute::links::{bookmark, links};
use crate::compute::microversion::Microversion;
use crate::web::address::Address;

/// All that is shown of a flavor.
pub fn detail(flavor: &Flavor, version: Microversion, address: &Address) -> Value {
    let swap = match flavor.swap_mib {
        0 if version < Microversion(75) => json!(""),
        swap => json!(swap),
    };
    let mut shown = json!({
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram_mib,
        "vcpus": flavor.vcpus,
        "disk": flavor.disk_gib,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gib,
        "swap": swap,
        "rxtx_factor": 1.0,
        "OS-FLV-DISABLED:disabled": flavor.is_disabled,
        "os-flavor-access:is_public": flavor.is_public,
        "links": links(address, "flavors", &flavor.id.0),
    });
    if version >= Microversion(55) {
        shown["description"] = json!(flavor.description);
    }
    if version >= Microversion(61) {
        shown["extra_specs"] = json!(flavor.extra_specs);
    }
    shown
}

/// What `GET /flavors` shows.
pub fn brief(flavor: &Flavor, version: Microversion, address: &Address) -> Value {
    let mut shown = json!({ "id": flavor.id, "name": flavor.name, "links": links(address, "flavors", &flavor.id.0) });
    if version >= Microversion(55) {
        shown["description"] = json!(flavor.description);
    }
    shown
}

/// The flavor of a server, which is a copy from 2.47 on.
pub fn embedded<'f>(flavor: &'f Flavor, version: Microversion, address: &'f Address) -> impl Serialize + 'f {
    match version < Microversion(47) {
        true => Embedded::Link { id: &flavor.id.0, links: bookmark(address, "flavors", &flavor.id.0) },
        false => Embedded::Copy {
            original_name: &flavor.name,
            vcpus: flavor.vcpus,
            ram: flavor.ram_mib,
            disk: flavor.disk_gib,
            ephemeral: flavor.ephemeral_gib,
            swap: flavor.swap_mib,
            extra_specs: &flavor.extra_specs,
        },
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Embedded<'f, L> {
    Link {
        id: &'f str,
        links: L,
    },
    Copy {
        original_name: &'f str,
        vcpus: u32,
        ram: u64,
        disk: u64,
        ephemeral: u64,
        swap: u64,
        extra_specs: &'f BTreeMap<String, String>,
    },
}
