//! `GET /v2/schemas/…`: the fields of images and of their members, for clients that ask.

use axum::Json;
use cuttle_formats::Format;
use serde_json::{Value, json};

pub async fn image() -> Json<Value> {
    Json(image_schema())
}

pub async fn images() -> Json<Value> {
    Json(json!({
        "name": "images",
        "properties": {
            "images": { "type": "array", "items": image_schema() },
            "first": { "type": "string" },
            "next": { "type": "string" },
            "schema": { "type": "string" },
        },
        "links": [{ "rel": "first", "href": "{first}" }, { "rel": "next", "href": "{next}" }, { "rel": "describedby", "href": "{schema}" }],
    }))
}

pub async fn member() -> Json<Value> {
    Json(member_schema())
}

pub async fn members() -> Json<Value> {
    Json(json!({
        "name": "members",
        "properties": { "members": { "type": "array", "items": member_schema() }, "schema": { "type": "string" } },
        "links": [{ "rel": "describedby", "href": "{schema}" }],
    }))
}

fn member_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "name": "member",
        "properties": {
            "image_id": text,
            "member_id": text,
            "status": { "type": "string", "enum": ["pending", "accepted", "rejected"] },
            "created_at": text,
            "updated_at": text,
            "schema": { "type": "string", "readOnly": true },
        },
    })
}

fn image_schema() -> Value {
    let text = json!({ "type": ["null", "string"], "maxLength": 255 });
    let read_only = |kind: &str| json!({ "type": ["null", kind], "readOnly": true });
    let formats: Vec<Option<&str>> = std::iter::once(None).chain(Format::ALL.map(|format| Some(format.as_str()))).collect();
    json!({
        "name": "image",
        "properties": {
            "id": { "type": "string", "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$" },
            "name": text,
            "owner": text,
            "visibility": { "type": "string", "enum": ["community", "public", "private", "shared"] },
            "protected": { "type": "boolean" },
            "disk_format": { "type": ["null", "string"], "enum": formats },
            "container_format": { "type": ["null", "string"], "enum": [null, "bare"] },
            "min_disk": { "type": "integer" },
            "min_ram": { "type": "integer" },
            "tags": { "type": "array", "items": { "type": "string", "maxLength": 255 } },
            "status": read_only("string"),
            "size": read_only("integer"),
            "virtual_size": read_only("integer"),
            "checksum": read_only("string"),
            "os_hash_algo": read_only("string"),
            "os_hash_value": read_only("string"),
            "os_hidden": { "type": "boolean" },
            "created_at": read_only("string"),
            "updated_at": read_only("string"),
            "file": read_only("string"),
            "self": read_only("string"),
            "schema": read_only("string"),
        },
        "additionalProperties": { "type": "string" },
        "links": [{ "rel": "self", "href": "{self}" }, { "rel": "enclosure", "href": "{file}" }, { "rel": "describedby", "href": "{schema}" }],
    })
}
