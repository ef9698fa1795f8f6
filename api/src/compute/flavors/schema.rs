//! What requests about flavors may hold.

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::Schema;

/// `POST /flavors`.
pub static CREATE: Schema = Schema::new(create, &[55]);

/// `PUT /flavors/{id}`.
pub static UPDATE: Schema = Schema::new(
    |_| {
        let description = json!({"type": ["string", "null"], "maxLength": 65535});
        let flavor = object(json!({ "description": description }), &["description"]);
        object(json!({ "flavor": flavor }), &["flavor"])
    },
    &[],
);

/// `POST /flavors/{id}/os-extra_specs`.
pub static EXTRA_SPECS: Schema = Schema::new(|_| object(json!({ "extra_specs": specs() }), &["extra_specs"]), &[]);

/// `PUT /flavors/{id}/os-extra_specs/{key}`.
pub static EXTRA_SPEC: Schema = Schema::new(
    |_| {
        let mut one = specs();
        one["minProperties"] = json!(1);
        one["maxProperties"] = json!(1);
        one
    },
    &[],
);

/// `POST /flavors/{id}/action` with `addTenantAccess`.
pub static ADD_ACCESS: Schema = Schema::new(|_| access("addTenantAccess"), &[]);

/// The same with `removeTenantAccess`.
pub static REMOVE_ACCESS: Schema = Schema::new(|_| access("removeTenantAccess"), &[]);

fn access(action: &str) -> Value {
    let tenant = json!({"type": "string", "minLength": 1, "maxLength": 255});
    object(json!({ action: object(json!({ "tenant": tenant }), &["tenant"]) }), &[action])
}

fn specs() -> Value {
    json!({
        "type": "object",
        "propertyNames": {"pattern": "^[a-zA-Z0-9-_:. ]{1,255}$"},
        "additionalProperties": {"type": ["string", "number"], "maxLength": 255},
    })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn create(version: Microversion) -> Value {
    let number =
        |least: u32| json!({"type": ["integer", "string"], "pattern": "^[0-9]{1,10}$", "minimum": least, "maximum": i32::MAX});
    let mut properties = json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"},
        "id": {"type": ["string", "number", "null"], "maxLength": 255, "pattern": "^(?! )[a-zA-Z0-9. _-]*(?<! )$"},
        "ram": number(1),
        "vcpus": number(1),
        "disk": number(0),
        "OS-FLV-EXT-DATA:ephemeral": number(0),
        "swap": number(0),
        "rxtx_factor": {"type": ["number", "string"], "pattern": "^[0-9]+(\\.[0-9]+)?$", "minimum": 0},
        "os-flavor-access:is_public": {"type": ["boolean", "string"]},
    });
    if version >= Microversion(55) {
        properties["description"] = json!({"type": ["string", "null"], "maxLength": 65535});
    }
    json!({
        "type": "object",
        "properties": {"flavor": {
            "type": "object",
            "properties": properties,
            "required": ["name", "ram", "vcpus", "disk"],
            "additionalProperties": false,
        }},
        "required": ["flavor"],
        "additionalProperties": false,
    })
}
