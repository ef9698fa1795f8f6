//! What requests about servers may hold, at each version. What is well-formed but cannot be honoured
//! yet is refused afterwards, by name ([`super::boot`]).

use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::validation::{Schema, any_case, truth};

/// `POST /servers`.
pub static CREATE: Schema = Schema::new(create, &[19, 32, 33, 37, 42, 52, 57, 63, 67, 74, 90, 94]);

/// `POST /servers/{id}/action` with `os-getConsoleOutput`.
pub static CONSOLE: Schema = Schema::new(
    |_| {
        let length = json!({"type": ["integer", "string", "null"], "pattern": "^(-?[0-9]{1,9})?$", "minimum": -1});
        object(json!({ "os-getConsoleOutput": object(json!({ "length": length }), &[]) }), &["os-getConsoleOutput"])
    },
    &[],
);

/// `POST /servers/{id}/action` with `reboot`.
pub static REBOOT: Schema = Schema::new(
    |_| {
        let kind = json!({"type": "string", "pattern": any_case(&["soft", "hard"])});
        object(json!({ "reboot": object(json!({ "type": kind }), &["type"]) }), &["reboot"])
    },
    &[],
);

/// `POST /servers/{id}/action` with `resize`.
pub static RESIZE: Schema = Schema::new(
    |_| {
        let flavor = json!({"type": ["string", "integer"], "minLength": 1});
        let disk_config = json!({"type": "string", "enum": ["AUTO", "MANUAL"]});
        let resize = object(json!({ "flavorRef": flavor, "OS-DCF:diskConfig": disk_config }), &["flavorRef"]);
        object(json!({ "resize": resize }), &["resize"])
    },
    &[],
);

/// `POST /servers/{id}/action` with `migrate`.
pub static MIGRATE: Schema = Schema::new(
    |version| {
        if version < Microversion(56) {
            return object(json!({ "migrate": {"type": "null"} }), &["migrate"]);
        }
        let host = json!({"type": ["string", "null"], "minLength": 1, "maxLength": 255});
        let mut migrate = object(json!({ "host": host }), &[]);
        migrate["type"] = json!(["object", "null"]);
        object(json!({ "migrate": migrate }), &["migrate"])
    },
    &[56],
);

/// `POST /servers/{id}/action` with `confirmResize`.
pub static CONFIRM_RESIZE: Schema =
    Schema::new(|_| object(json!({ "confirmResize": {"type": "null"} }), &["confirmResize"]), &[]);

/// `POST /servers/{id}/action` with `revertResize`.
pub static REVERT_RESIZE: Schema = Schema::new(|_| object(json!({ "revertResize": {"type": "null"} }), &["revertResize"]), &[]);

/// `PUT /servers/{id}`.
pub static UPDATE: Schema = Schema::new(update, &[19, 90, 94]);

/// `POST` and `PUT /servers/{id}/metadata`.
pub static METADATA: Schema = Schema::new(|_| object(json!({ "metadata": metadata() }), &["metadata"]), &[]);

/// `PUT /servers/{id}/metadata/{key}`.
pub static META: Schema = Schema::new(
    |_| {
        let mut one = metadata();
        one["minProperties"] = json!(1);
        one["maxProperties"] = json!(1);
        object(json!({ "meta": one }), &["meta"])
    },
    &[],
);

/// `PUT /servers/{id}/tags`.
pub static TAGS: Schema = Schema::new(|_| object(json!({ "tags": tags() }), &["tags"]), &[]);

/// `POST /servers/{id}/action` with `lock`.
pub static LOCK: Schema = Schema::new(
    |version| {
        if version < Microversion(73) {
            return object(json!({ "lock": {} }), &["lock"]);
        }
        let reason = json!({"type": "string", "minLength": 1, "maxLength": 255, "format": "name"});
        let mut lock = object(json!({ "locked_reason": reason }), &[]);
        lock["type"] = json!(["object", "null"]);
        object(json!({ "lock": lock }), &["lock"])
    },
    &[73],
);

fn update(version: Microversion) -> Value {
    let mut fields = json!({
        "name": name(),
        "OS-DCF:diskConfig": {"type": "string", "enum": ["AUTO", "MANUAL"]},
        "accessIPv4": {"type": "string", "format": "ipv4"},
        "accessIPv6": {"type": "string", "format": "ipv6"},
    });
    if version >= Microversion(19) {
        fields["description"] = json!({"type": ["string", "null"], "maxLength": 255});
    }
    if version >= Microversion(90) {
        fields["hostname"] = hostname(version);
    }
    object(json!({ "server": object(fields, &[]) }), &["server"])
}

fn create(version: Microversion) -> Value {
    let hints = json!({"type": "object"});
    let body = json!({ "server": server(version), "os:scheduler_hints": hints, "OS-SCH-HNT:scheduler_hints": hints });
    object(body, &["server"])
}

fn server(version: Microversion) -> Value {
    let since = |minor| version >= Microversion(minor);
    let mut fields = json!({
        "name": name(),
        "imageRef": {"type": "string", "anyOf": [{"format": "id"}, {"maxLength": 0}]},
        "flavorRef": {"type": ["string", "integer"], "minLength": 1, "maxLength": 255, "minimum": 0},
        "adminPass": {"type": "string"},
        "metadata": metadata(),
        "networks": networks(version),
        "OS-DCF:diskConfig": {"type": "string", "enum": ["AUTO", "MANUAL"]},
        "accessIPv4": {"type": "string", "anyOf": [{"format": "ipv4"}, {"maxLength": 0}]},
        "accessIPv6": {"type": "string", "anyOf": [{"format": "ipv6"}, {"maxLength": 0}]},
        "availability_zone": name(),
        "block_device_mapping": {"type": "array", "items": {"type": "object"}},
        "block_device_mapping_v2": {"type": "array", "items": block_device(version)},
        "config_drive": truth(),
        "key_name": {"type": "string", "minLength": 1, "maxLength": 255},
        "min_count": count(),
        "max_count": count(),
        "return_reservation_id": truth(),
        "security_groups": {"type": "array", "items": object(json!({ "name": name() }), &[])},
        "user_data": {"type": "string", "contentEncoding": "base64", "maxLength": 65535, "pattern": "^[A-Za-z0-9+/=\\s]*$"},
    });
    if since(19) {
        fields["description"] = json!({"type": ["string", "null"], "maxLength": 255});
    }
    if since(52) {
        fields["tags"] = tags();
    }
    if !since(57) {
        let file = json!({"path": {"type": "string"}, "contents": {"type": "string"}});
        fields["personality"] = json!({"type": "array", "items": object(file, &[])});
    }
    if since(63) {
        fields["trusted_image_certificates"] = json!({"type": ["array", "null"], "minItems": 1, "maxItems": 50, "uniqueItems": true, "items": {"type": "string", "minLength": 1}});
    }
    if since(74) {
        fields["host"] = name();
        fields["hypervisor_hostname"] = name();
    }
    if since(90) {
        fields["hostname"] = hostname(version);
    }
    object(fields, &["name", "flavorRef"])
}

fn hostname(version: Microversion) -> Value {
    let is_full = version >= Microversion(94);
    let (longest, pattern) = if is_full { (255, FQDN) } else { (63, LABEL) };
    json!({"type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern})
}

fn tags() -> Value {
    let tag = json!({"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/\\x00-\\x1f\\x7f]*$"});
    json!({"type": "array", "items": tag, "maxItems": 50, "uniqueItems": true})
}

const LABEL: &str = "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$";
const FQDN: &str = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$";

fn networks(version: Microversion) -> Value {
    let mut item = json!({
        "uuid": {"type": "string", "format": "id"},
        "port": {"type": ["string", "null"], "format": "id"},
        "fixed_ip": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    });
    // The tag came with 2.32, was lost by accident in 2.37 and came back with 2.42.
    if version >= Microversion(42) || (Microversion(32)..Microversion(37)).contains(&version) {
        item["tag"] = json!({"type": "string", "minLength": 1, "maxLength": 60});
    }
    let list = json!({"type": "array", "items": object(item, &[])});
    match version >= Microversion(37) {
        true => json!({"anyOf": [list, {"type": "string", "enum": ["auto", "none"]}]}),
        false => list,
    }
}

fn block_device(version: Microversion) -> Value {
    let text = json!({"type": "string", "maxLength": 255});
    let mut fields = json!({
        "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$"},
        "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
        "destination_type": {"type": "string", "enum": ["local", "volume"]},
        "uuid": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._-]*$"},
        "image_id": {"type": "string", "format": "id"},
        "volume_id": {"type": "string", "format": "id"},
        "snapshot_id": {"type": "string", "format": "id"},
        "volume_size": {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 1},
        "delete_on_termination": truth(),
        "device_name": text, "device_type": text, "disk_bus": text, "guest_format": text,
        "virtual_name": text, "connection_info": {"type": "string"}, "no_device": {},
    });
    if version >= Microversion(42) || version == Microversion(32) {
        fields["tag"] = json!({"type": "string", "minLength": 1, "maxLength": 60});
    }
    if version >= Microversion(67) {
        fields["volume_type"] = json!({"type": ["string", "null"], "maxLength": 255});
    }
    object(fields, &[])
}

fn metadata() -> Value {
    json!({
        "type": "object",
        "propertyNames": {"pattern": "^[a-zA-Z0-9-_:. ]{1,255}$"},
        "additionalProperties": {"type": "string", "maxLength": 255},
    })
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 255, "format": "name"})
}

fn count() -> Value {
    json!({"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 1, "minLength": 1})
}

/// An object with these properties and no others.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";

    fn with(field: &str, value: Value) -> Value {
        let mut server = json!({"name": "a", "imageRef": ID, "flavorRef": "1"});
        server[field] = value;
        json!({ "server": server })
    }

    fn refusal(version: u16, field: &str, value: Value) -> Option<String> {
        CREATE.check(Microversion(version), &with(field, value)).err().map(|error| error.to_string())
    }

    #[test]
    fn good_requests_pass() {
        let good = [
            ("flavorRef", json!(1)),
            ("networks", json!("auto")),
            ("networks", json!("none")),
            ("networks", json!([])),
            ("networks", json!([{"uuid": ID, "tag": "t"}])),
            ("min_count", json!("2")),
            ("config_drive", json!("True")),
            ("user_data", json!("aGVsbG8=")),
            ("metadata", json!({"a b:c": "d"})),
            (
                "block_device_mapping_v2",
                json!([{"uuid": ID, "boot_index": 0, "source_type": "image", "destination_type": "local", "delete_on_termination": true}]),
            ),
            ("hostname", json!("a.example.com")),
            ("imageRef", json!("")),
            ("description", json!(null)),
        ];
        for (field, value) in good {
            assert_eq!(refusal(100, field, value.clone()), None, "{field} {value}");
        }
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        let bad = [
            ("name", json!("x".repeat(300))),
            ("name", json!("")),
            ("name", json!(" ")),
            ("name", json!("a\u{7}")),
            ("name", json!(7)),
            ("imageRef", json!("not-a-uuid")),
            ("imageRef", json!(5)),
            ("flavorRef", json!(null)),
            ("flavorRef", json!("")),
            ("flavorRef", json!([])),
            ("networks", json!("all")),
            ("networks", json!("Auto")),
            ("min_count", json!(0)),
            ("min_count", json!("x")),
            ("max_count", json!(-1)),
            ("max_count", json!(1.5)),
            ("metadata", json!({"k": 5})),
            ("metadata", json!({"k".repeat(256): "v"})),
            ("metadata", json!([])),
            ("config_drive", json!("maybe")),
            ("user_data", json!("%%%")),
            ("user_data", json!("A".repeat(65_536))),
            ("availability_zone", json!("")),
            ("accessIPv4", json!("1.2.3")),
            ("hostname", json!("-a")),
            ("unknown", json!(1)),
            ("personality", json!([])),
            ("key_name", json!("")),
            ("OS-DCF:diskConfig", json!("auto")),
        ];
        for (field, value) in bad {
            let text = refusal(100, field, value.clone()).unwrap_or_else(|| panic!("{field} {value} was accepted"));
            assert!(text.contains(field), "{field} {value}: {text}");
        }
    }

    #[test]
    fn fields_come_and_go_with_versions() {
        let windows = [
            ("description", json!("d"), 18, 19),
            ("networks", json!("auto"), 36, 37),
            ("tags", json!(["t"]), 51, 52),
            ("hostname", json!("h"), 89, 90),
            ("host", json!("h"), 73, 74),
        ];
        for (field, value, refused, accepted) in windows {
            assert!(refusal(refused, field, value.clone()).is_some(), "{field} at 2.{refused}");
            assert!(refusal(accepted, field, value).is_none(), "{field} at 2.{accepted}");
        }
        assert!(refusal(56, "personality", json!([])).is_none());
        assert!(refusal(93, "hostname", json!("a.b")).is_some());
    }

    #[test]
    fn what_is_beside_the_server_is_refused_too() {
        let mut body = with("name", json!("a"));
        body["other"] = json!(1);
        assert!(CREATE.check(Microversion::MIN, &body).unwrap_err().to_string().contains("other"));
        assert!(CREATE.check(Microversion::MIN, &json!({"server": []})).unwrap_err().to_string().contains("server"));
        assert!(
            CREATE.check(Microversion::MIN, &json!({"server": {"name": "a"}})).unwrap_err().to_string().contains("flavorRef")
        );
    }
}
