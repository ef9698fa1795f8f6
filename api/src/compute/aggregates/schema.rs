//! What requests about aggregates may hold.

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::Schema;

/// `POST /os-aggregates`.
pub static CREATE: Schema = Schema::new(|_| body(&["name"]), &[]);

/// `PUT /os-aggregates/{id}`.
pub static UPDATE: Schema = Schema::new(
    |_| {
        let mut body = body(&[]);
        body["properties"]["aggregate"]["minProperties"] = json!(1);
        body
    },
    &[],
);

/// `POST /os-aggregates/{id}/action`.
pub static ACTION: Schema = Schema::new(action, &[]);

fn body(required: &[&str]) -> Value {
    let name = json!({"type": "string", "minLength": 1, "maxLength": 255, "format": "name"});
    let zone = json!({"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": "^[^:]*$"});
    let fields = json!({ "name": name, "availability_zone": zone });
    let aggregate = json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false});
    json!({"type": "object", "properties": {"aggregate": aggregate}, "required": ["aggregate"], "additionalProperties": false})
}

fn action(_: Microversion) -> Value {
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let host = object(json!({"host": {"type": "string", "minLength": 1, "maxLength": 255}}), &["host"]);
    let metadata = json!({
        "type": "object",
        "propertyNames": {"pattern": "^[a-zA-Z0-9-_:. ]{1,255}$"},
        "additionalProperties": {"type": ["string", "null"], "maxLength": 255},
    });
    let set = object(json!({ "metadata": metadata }), &["metadata"]);
    json!({
        "type": "object",
        "properties": {"add_host": host, "remove_host": host, "set_metadata": set},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
    })
}
