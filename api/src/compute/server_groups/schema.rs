//! What a request for a server group may hold.

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::Schema;

/// `POST /os-server-groups`.
pub static CREATE: Schema = Schema::new(create, &[15, 64]);

fn create(version: Microversion) -> Value {
    let name = json!({"type": "string", "minLength": 1, "maxLength": 255, "format": "name"});
    let policies = match version >= Microversion(15) {
        true => json!(["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"]),
        false => json!(["anti-affinity", "affinity"]),
    };
    let policy = json!({"type": "string", "enum": policies});
    let (fields, required) = match version >= Microversion(64) {
        true => {
            let most = json!({"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 1, "minLength": 1});
            let rules = json!({"type": "object", "properties": {"max_server_per_host": most}, "additionalProperties": false});
            (json!({ "name": name, "policy": policy, "rules": rules }), json!(["name", "policy"]))
        }
        false => {
            let list = json!({"type": "array", "items": policy, "minItems": 1, "maxItems": 1});
            (json!({ "name": name, "policies": list }), json!(["name", "policies"]))
        }
    };
    let group = json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false});
    json!({"type": "object", "properties": {"server_group": group}, "required": ["server_group"], "additionalProperties": false})
}
