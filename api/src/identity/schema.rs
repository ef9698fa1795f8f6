//! What requests to the identity service may hold. What is not named here is refused: nothing is
//! taken that would then be ignored.

use cuttle_model::identity::DEFAULT_DOMAIN;
use serde_json::{Value, json};

use crate::identity::passwords;
use crate::web::validation::Schema;

pub static CREATE_PROJECT: Schema = Schema::new(|_| wrapped("project", project(), &["name"]), &[]);
pub static UPDATE_PROJECT: Schema = Schema::new(|_| wrapped("project", project(), &[]), &[]);
pub static CREATE_USER: Schema = Schema::new(|_| wrapped("user", user(), &["name"]), &[]);
pub static UPDATE_USER: Schema = Schema::new(|_| wrapped("user", user(), &[]), &[]);
pub static CHANGE_PASSWORD: Schema = Schema::new(|_| wrapped("user", new_password(), &["original_password", "password"]), &[]);
pub static CREATE_ROLE: Schema = Schema::new(|_| wrapped("role", role(), &["name"]), &[]);
pub static UPDATE_ROLE: Schema = Schema::new(|_| wrapped("role", role(), &[]), &[]);
pub static CREATE_APPLICATION_CREDENTIAL: Schema =
    Schema::new(|_| wrapped("application_credential", application_credential(), &["name"]), &[]);

/// An object of this name with these properties.
fn wrapped(name: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": {name: {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }},
        "required": [name],
        "additionalProperties": false,
    })
}

fn name(longest: u32) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": longest, "format": "name"})
}

fn text() -> Value {
    json!({"type": ["string", "null"], "maxLength": 65535})
}

fn password() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": passwords::MAX_BYTES})
}

/// Keystone's options change rules that do not exist here, so only none of them are taken.
fn no_options() -> Value {
    json!({"type": "object", "maxProperties": 0})
}

fn domain() -> Value {
    json!({"enum": [DEFAULT_DOMAIN, null]})
}

fn project() -> Value {
    json!({
        "name": name(64),
        "description": text(),
        "enabled": {"type": "boolean"},
        "domain_id": domain(),
        "parent_id": domain(),
        "is_domain": {"enum": [false]},
        "tags": {"type": "array", "maxItems": 0},
        "options": no_options(),
    })
}

fn user() -> Value {
    json!({
        "name": name(255),
        "password": {"type": ["string", "null"], "minLength": 1, "maxLength": passwords::MAX_BYTES},
        "description": text(),
        "email": {"type": ["string", "null"], "maxLength": 255},
        "enabled": {"type": "boolean"},
        "default_project_id": {"type": ["string", "null"], "format": "id"},
        "domain_id": domain(),
        "options": no_options(),
    })
}

fn new_password() -> Value {
    json!({"original_password": password(), "password": password()})
}

fn role() -> Value {
    json!({"name": name(255), "description": text(), "domain_id": {"type": "null"}, "options": no_options()})
}

fn application_credential() -> Value {
    json!({
        "name": name(255),
        "description": text(),
        "expires_at": {"type": ["string", "null"], "maxLength": 64},
        // What is given by a person may be as short as a person likes; argon2 makes up for it, up to a point.
        "secret": {"type": ["string", "null"], "minLength": 16, "maxLength": 255},
        "unrestricted": {"type": ["boolean", "null"]},
        "roles": {"type": "array", "maxItems": 50, "items": {
            "type": "object",
            "properties": {"id": {"type": "string", "maxLength": 64}, "name": {"type": "string", "maxLength": 255}},
            "minProperties": 1,
            "additionalProperties": false,
        }},
        "access_rules": {"type": "array", "maxItems": 0},
        "project_id": {"type": ["string", "null"], "format": "id"},
    })
}
