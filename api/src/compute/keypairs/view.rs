//! How a keypair looks on the wire.

use cuttle_model::keypair::Keypair;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;

/// As lists show it.
pub fn brief(keypair: &Keypair, version: Microversion) -> Value {
    let mut shown = json!({
        "name": keypair.name,
        "public_key": keypair.public_key.text,
        "fingerprint": keypair.fingerprint,
    });
    if version >= Microversion(2) {
        shown["type"] = json!(keypair.public_key.kind.as_str());
    }
    json!({ "keypair": shown })
}

/// As it is shown by itself.
pub fn detail(keypair: &Keypair, number: i64, version: Microversion) -> Value {
    let mut shown = brief(keypair, version);
    shown["keypair"]["user_id"] = json!(keypair.user_id);
    shown["keypair"]["id"] = json!(number);
    shown["keypair"]["created_at"] = json!(keypair.created_at.to_micros_naive());
    shown["keypair"]["updated_at"] = Value::Null;
    shown["keypair"]["deleted_at"] = Value::Null;
    shown["keypair"]["deleted"] = json!(false);
    shown
}

/// The answer to its creation: the only place where a private key is ever shown.
pub fn created(keypair: &Keypair, private_key: Option<&SecretString>, version: Microversion) -> Value {
    let mut shown = brief(keypair, version);
    shown["keypair"]["user_id"] = json!(keypair.user_id);
    if let Some(private_key) = private_key {
        shown["keypair"]["private_key"] = json!(private_key.expose_secret());
    }
    shown
}
