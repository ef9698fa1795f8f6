//! What a request for a keypair may hold.

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::Schema;

/// `POST /os-keypairs`.
pub static CREATE: Schema = Schema::new(create, &[2, 10, 92]);

fn create(version: Microversion) -> Value {
    let letters = if version >= Microversion(92) { "^[a-zA-Z0-9 @._-]+$" } else { "^[a-zA-Z0-9 _-]+$" };
    let mut properties = json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 255, "format": "name", "pattern": letters},
        "public_key": {"type": "string"},
    });
    if version >= Microversion(2) {
        properties["type"] = json!({"type": "string", "enum": ["ssh", "x509"]});
    }
    if version >= Microversion(10) {
        properties["user_id"] = json!({"type": "string", "maxLength": 255});
    }
    let required = if version >= Microversion(92) { json!(["name", "public_key"]) } else { json!(["name"]) };
    let keypair = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    json!({"type": "object", "properties": {"keypair": keypair}, "required": ["keypair"], "additionalProperties": false})
}
