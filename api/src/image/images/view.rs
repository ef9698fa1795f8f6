//! How an image looks on the wire.

use cuttle_model::image::Image;
use serde_json::{Map, Value, json};

/// Where an image says why its last upload did not become its data.
const FAILURE: &str = "cuttle_import_failure";

/// Fields that are the image's own; all others are properties that a client set.
pub const OWN_FIELDS: [&str; 27] = [
    "id",
    "name",
    "status",
    "visibility",
    "owner",
    "protected",
    "min_disk",
    "min_ram",
    "container_format",
    "disk_format",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "tags",
    "created_at",
    "updated_at",
    "deleted_at",
    "file",
    "self",
    "schema",
    "direct_url",
    "locations",
    "deleted",
    FAILURE,
];

/// All that is shown of an image.
pub fn image(image: &Image) -> Value {
    let properties = image.properties.iter().filter(|(key, _)| !OWN_FIELDS.contains(&key.as_str()));
    let mut shown: Map<String, Value> = properties.map(|(key, value)| (key.clone(), json!(value))).collect();
    let own = json!({
        "id": image.id,
        "name": image.name,
        "status": image.status.as_str(),
        "visibility": image.visibility.as_str(),
        "owner": image.project_id,
        "protected": image.protected,
        "min_disk": image.min_disk_gib,
        "min_ram": image.min_ram_mib,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "size": image.size_bytes,
        "virtual_size": image.virtual_size_bytes,
        "checksum": image.checksum,
        "os_hash_algo": image.sha512.as_ref().map(|_| "sha512"),
        "os_hash_value": image.sha512,
        "os_hidden": image.hidden,
        "tags": image.tags,
        "created_at": image.created_at.to_seconds_z(),
        "updated_at": image.updated_at.to_seconds_z(),
        "file": format!("/v2/images/{}/file", image.id),
        "self": format!("/v2/images/{}", image.id),
        "schema": "/v2/schemas/image",
    });
    if let Value::Object(own) = own {
        shown.extend(own);
    }
    if let Some(failure) = &image.failure {
        shown.insert(FAILURE.into(), json!(failure));
    }
    Value::Object(shown)
}
