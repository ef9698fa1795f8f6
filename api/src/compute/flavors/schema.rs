//! What a request to create a flavor may hold.

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::Schema;

/// `POST /flavors`.
pub static CREATE: Schema = Schema::new(create, &[55]);

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
