//! What a valid request to create a server asks for, and refusals of what cannot be honoured yet.
//!
//! A field that matters is never ignored: it is honoured, or the request is refused naming it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use cuttle_model::ids::ImageId;
use cuttle_operations::config_drive::decode_user_data;
use secrecy::SecretString;
use serde_json::Value;

use crate::compute::servers::hints::Wanted;
use crate::compute::servers::tags;
use crate::error::ApiError;
use crate::web::query::boolean;
use crate::web::validation::shown;

/// The most servers of one request.
const MOST_AT_ONCE: u64 = 100;

/// A request, as far as it can be honoured.
#[derive(Debug)]
pub struct Boot {
    pub name: String,
    pub description: Option<String>,
    pub hostname: Option<String>,
    pub key_name: Option<String>,
    pub flavor: String,
    pub image: ImageId,
    pub metadata: BTreeMap<String, String>,
    /// What is wanted of its host.
    pub wanted: Wanted,
    pub config_drive: Option<bool>,
    /// In base64.
    pub user_data: Option<String>,
    pub admin_password: Option<SecretString>,
    pub tags: BTreeSet<String>,
    pub access_ipv4: Option<Ipv4Addr>,
    pub access_ipv6: Option<Ipv6Addr>,
    /// How many at the least, from 1 on.
    pub least: u64,
    /// How many are asked for.
    pub count: u64,
    /// The answer names the reservation instead of a server.
    pub return_reservation_id: bool,
}

impl Boot {
    /// Reads a body that the schema has accepted.
    pub fn read(body: &Value) -> Result<Self, ApiError> {
        let server = &body["server"];
        refuse_unsupported(body)?;
        let image = image(server)?;
        refuse_other_disks(server, image)?;
        let text = |field: &str| server[field].as_str().map(str::to_owned);
        let (least, count) = counts(server)?;
        Ok(Self {
            name: text("name").unwrap_or_default(),
            description: text("description"),
            hostname: text("hostname"),
            key_name: text("key_name"),
            flavor: text("flavorRef").unwrap_or_else(|| server["flavorRef"].to_string()),
            image,
            metadata: metadata(server),
            wanted: Wanted::read(body)?,
            config_drive: boolean_of(&server["config_drive"]),
            user_data: user_data(server)?,
            admin_password: server["adminPass"].as_str().filter(|text| !text.is_empty()).map(SecretString::from),
            tags: tags::read(&server["tags"]),
            access_ipv4: server["accessIPv4"].as_str().and_then(|text| text.parse().ok()),
            access_ipv6: server["accessIPv6"].as_str().and_then(|text| text.parse().ok()),
            least,
            count,
            return_reservation_id: truth(&server["return_reservation_id"]),
        })
    }
}

fn refuse_unsupported(body: &Value) -> Result<(), ApiError> {
    let server = &body["server"];
    for field in ["block_device_mapping", "personality", "security_groups", "trusted_image_certificates"] {
        if !is_empty(&server[field]) {
            return Err(ApiError::not_yet(field, shown(&server[field])));
        }
    }
    if server["OS-DCF:diskConfig"] == "AUTO" {
        return Err(ApiError::not_yet("OS-DCF:diskConfig", "AUTO"));
    }
    match &server["networks"] {
        Value::Array(list) if !list.is_empty() => {
            let why = "Servers have no networks yet: leave it out, or give an empty list, \"auto\" or \"none\".";
            Err(ApiError::invalid("networks", shown(&server["networks"]), why))
        }
        _ => Ok(()),
    }
}

fn image(server: &Value) -> Result<ImageId, ApiError> {
    let text = server["imageRef"].as_str().unwrap_or("");
    text.parse().map_err(|_| {
        ApiError::invalid("imageRef", text, "An image to boot from is needed: booting from a volume is not supported yet.")
    })
}

/// The one mapping that says no more than `imageRef` does is what openstackclient sends.
fn refuse_other_disks(server: &Value, image: ImageId) -> Result<(), ApiError> {
    let field = "block_device_mapping_v2";
    for device in server[field].as_array().into_iter().flatten() {
        let index = match &device["boot_index"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let names_image =
            device["uuid"].as_str().or(device["image_id"].as_str()).and_then(|text| text.parse().ok()) == Some(image);
        let extra = device.as_object().into_iter().flat_map(|map| map.keys()).find(|key| {
            !["uuid", "image_id", "boot_index", "source_type", "destination_type", "delete_on_termination"]
                .contains(&key.as_str())
        });
        let kept = !device["delete_on_termination"].is_null() && !truth(&device["delete_on_termination"]);
        let is_root = index == Some(0) && device["source_type"] == "image" && device["destination_type"] == "local";
        if !is_root || !names_image || kept || extra.is_some() {
            let why = "Only a local root disk made from imageRef is supported yet.";
            return Err(ApiError::invalid(field, shown(device), why));
        }
    }
    match server[field].as_array().map_or(0, Vec::len) {
        0 | 1 => Ok(()),
        _ => Err(ApiError::invalid(field, shown(&server[field]), "Two of them have boot_index 0.")),
    }
}

fn metadata(server: &Value) -> BTreeMap<String, String> {
    let items = server["metadata"].as_object().into_iter().flatten();
    items.map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned())).collect()
}

/// User data as it was sent, if it is what it should be. It may hold secrets, which are not repeated.
fn user_data(server: &Value) -> Result<Option<String>, ApiError> {
    let Some(text) = server["user_data"].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    match decode_user_data(text) {
        Some(_) => Ok(Some(text.to_owned())),
        None => Err(ApiError::invalid("user_data", "…", "It is not base64.")),
    }
}

/// How many at the least, and how many.
fn counts(server: &Value) -> Result<(u64, u64), ApiError> {
    let number = |field: &str| match &server[field] {
        Value::Null => Ok(None),
        Value::String(digits) => match digits.parse::<u64>() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(ApiError::invalid(field, digits, "A number from 1 on is expected.")),
        },
        other => Ok(other.as_u64().or_else(|| other.as_f64().map(|number| number as u64))),
    };
    let least = number("min_count")?;
    let most = number("max_count")?.or(least).unwrap_or(1);
    if least.unwrap_or(1) > most {
        return Err(ApiError::invalid("min_count", least.unwrap_or(1), "min_count must be <= max_count"));
    }
    match most <= MOST_AT_ONCE {
        true => Ok((least.unwrap_or(1), most)),
        false => Err(ApiError::Forbidden(format!(
            "Quota exceeded: max_count is {most}, at most {MOST_AT_ONCE} servers are made at once"
        ))),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn truth(value: &Value) -> bool {
    boolean_of(value).unwrap_or(false)
}

fn boolean_of(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().and_then(boolean))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";

    fn read(field: &str, value: Value) -> Result<Boot, String> {
        let mut server = json!({"name": "a", "imageRef": ID, "flavorRef": 1});
        server[field] = value;
        Boot::read(&json!({ "server": server })).map_err(|error| error.to_string())
    }

    #[test]
    fn what_openstackclient_sends_is_taken() {
        let device = json!([{"uuid": ID, "boot_index": 0, "source_type": "image", "destination_type": "local", "delete_on_termination": true}]);
        let boot = read("block_device_mapping_v2", device).unwrap();
        assert_eq!((boot.flavor.as_str(), boot.count, boot.image.to_string().as_str()), ("1", 1, ID));
        for networks in [json!("auto"), json!("none"), json!([]), json!(null)] {
            assert!(read("networks", networks).is_ok());
        }
        for (value, asked) in [(json!(false), Some(false)), (json!("True"), Some(true)), (json!(null), None)] {
            assert_eq!(read("config_drive", value).unwrap().config_drive, asked);
        }
        assert_eq!(read("user_data", json!("aGVs\nbG8=")).unwrap().user_data.as_deref(), Some("aGVs\nbG8="));
        let boot = read("adminPass", json!("secret")).unwrap();
        assert!(boot.admin_password.is_some() && !format!("{boot:?}").contains("secret"));
        assert!(read("security_groups", json!([])).is_ok());
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let cases = [
            ("networks", json!([{"uuid": ID}])),
            ("networks", json!([{"port": ID}])),
            ("user_data", json!("secret=+")),
            ("security_groups", json!([{"name": "default"}])),
            ("personality", json!([{"path": "/x", "contents": ""}])),
            ("availability_zone", json!("nova:host1:node2")),
            ("imageRef", json!("")),
            (
                "block_device_mapping_v2",
                json!([{"uuid": ID, "boot_index": 0, "source_type": "volume", "destination_type": "volume"}]),
            ),
            (
                "block_device_mapping_v2",
                json!([{"boot_index": -1, "source_type": "blank", "destination_type": "local", "volume_size": 1}]),
            ),
        ];
        for (field, value) in cases {
            let text = read(field, value.clone()).unwrap_err();
            assert!(text.contains(field), "{field} {value}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(read("max_count", json!(3)).unwrap().count, 3);
        assert_eq!(read("min_count", json!("2")).unwrap().count, 2);
        assert!(read("max_count", json!(101)).is_err());
        let both = json!({"server": {"name": "a", "imageRef": ID, "flavorRef": "1", "min_count": 3, "max_count": 2}});
        assert!(Boot::read(&both).unwrap_err().to_string().contains("min_count"));
    }
}
