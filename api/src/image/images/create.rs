//! `POST /v2/images`: an image by name, without data yet.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cuttle_database::Inserted;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::image::images::view::{self, OWN_FIELDS};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::validation::{Schema, shown};

/// The most custom properties, and tags: Glance's quotas.
const MOST_PROPERTIES: usize = 128;

/// `POST /images`.
pub static SCHEMA: Schema = Schema::new(|_| schema(), &[]);

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let image = image(&shared, &caller, &body)?;
    match shared.database.insert_image(&image).await? {
        Inserted::Inserted => {}
        Inserted::SameId | Inserted::SameName => {
            return Err(ApiError::Conflict(format!("Image ID {} already exists!", image.id)));
        }
    }
    let mut response = (StatusCode::CREATED, Json(view::image(&image))).into_response();
    if let Ok(url) = HeaderValue::from_str(&address.url(&format!("/image/v2/images/{}", image.id))) {
        response.headers_mut().insert(LOCATION, url);
    }
    Ok(response)
}

fn image(shared: &Shared, caller: &Caller, body: &Value) -> Result<Image, ApiError> {
    refuse_read_only(body)?;
    SCHEMA.check(Microversion::MIN, body)?;
    refuse_formats(body)?;
    let now = shared.now();
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let id = body["id"].as_str().and_then(|id| id.parse().ok());
    let mut tags: Vec<String> =
        body["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    tags.sort();
    tags.dedup();
    Ok(Image {
        id: id.unwrap_or_else(|| ImageId::new(shared.ids.as_ref())),
        project_id: owner(caller, body)?,
        name: text("name"),
        status: ImageStatus::Queued,
        visibility: visibility(caller, body)?,
        protected: body["protected"].as_bool().unwrap_or(false),
        disk_format: text("disk_format"),
        container_format: text("container_format"),
        min_disk_gib: body["min_disk"].as_u64().unwrap_or(0),
        min_ram_mib: body["min_ram"].as_u64().unwrap_or(0),
        size_bytes: None,
        virtual_size_bytes: None,
        checksum: None,
        sha512: None,
        tags,
        properties: properties(body)?,
        created_at: now,
        updated_at: now,
        generation: 1,
    })
}

fn refuse_read_only(body: &Value) -> Result<(), ApiError> {
    const SETTABLE: [&str; 11] = [
        "id",
        "name",
        "visibility",
        "owner",
        "protected",
        "min_disk",
        "min_ram",
        "container_format",
        "disk_format",
        "os_hidden",
        "tags",
    ];
    let keys = body.as_object().into_iter().flat_map(|map| map.keys());
    let read_only = keys.into_iter().find(|key| OWN_FIELDS.contains(&key.as_str()) && !SETTABLE.contains(&key.as_str()));
    match read_only {
        None => Ok(()),
        Some(key) => Err(ApiError::Forbidden(format!("Attribute '{key}' is read-only."))),
    }
}

/// Images are raw in Ceph; other formats are not converted yet.
fn refuse_formats(body: &Value) -> Result<(), ApiError> {
    for (field, only) in [("disk_format", "raw"), ("container_format", "bare")] {
        match body[field].as_str() {
            None => {}
            Some(word) if word == only => {}
            Some(other) => {
                return Err(ApiError::invalid(field, other, format_args!("Only '{only}' is supported by this service yet.")));
            }
        }
    }
    match body["os_hidden"].as_bool() {
        Some(true) => Err(ApiError::not_yet("os_hidden", true)),
        _ => Ok(()),
    }
}

fn owner(caller: &Caller, body: &Value) -> Result<ProjectId, ApiError> {
    let own = caller.project_id()?;
    let Some(text) = body["owner"].as_str() else { return Ok(own) };
    match text.parse::<ProjectId>() {
        Ok(project) if project == own || caller.is_admin() => Ok(project),
        Ok(_) => Err(ApiError::Forbidden(format!("You are not permitted to create images whose owner is '{text}'."))),
        Err(_) => Err(ApiError::invalid("owner", shown(&body["owner"]), "It is no project's id.")),
    }
}

/// Glance's default is `shared`: for the project, until it is shared.
fn visibility(caller: &Caller, body: &Value) -> Result<Visibility, ApiError> {
    match body["visibility"].as_str().and_then(Visibility::from_word).unwrap_or(Visibility::Shared) {
        Visibility::Public if !caller.is_admin() => {
            Err(ApiError::Forbidden("You are not permitted to make an image public.".into()))
        }
        other => Ok(other),
    }
}

fn properties(body: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let others = body.as_object().into_iter().flatten().filter(|(key, _)| !OWN_FIELDS.contains(&key.as_str()));
    let found: BTreeMap<String, String> =
        others.map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned())).collect();
    match found.len() <= MOST_PROPERTIES {
        true => Ok(found),
        false => {
            Err(ApiError::BadRequest(format!("At most {MOST_PROPERTIES} properties are allowed, {} were given.", found.len())))
        }
    }
}

fn schema() -> Value {
    let size = json!({"type": "integer", "minimum": 0, "maximum": i32::MAX});
    let tag = json!({"type": "string", "minLength": 1, "maxLength": 255});
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "id"},
            "name": {"type": ["string", "null"], "maxLength": 255},
            "visibility": {"type": "string", "enum": ["public", "private", "shared", "community"]},
            "owner": {"type": ["string", "null"], "maxLength": 255},
            "protected": {"type": "boolean"},
            "min_disk": size,
            "min_ram": size,
            "disk_format": {"type": ["string", "null"], "maxLength": 255},
            "container_format": {"type": ["string", "null"], "maxLength": 255},
            "os_hidden": {"type": "boolean"},
            "tags": {"type": "array", "items": tag, "maxItems": MOST_PROPERTIES},
        },
        "propertyNames": {"minLength": 1, "maxLength": 255},
        "additionalProperties": {"type": "string", "maxLength": 65535},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_fields_are_refused_by_name() {
        let check = |field: &str, value: Value| {
            let body = json!({ field: value });
            refuse_read_only(&body).and_then(|()| SCHEMA.check(Microversion::MIN, &body)).and_then(|()| refuse_formats(&body))
        };
        let bad = [
            ("name", json!("x".repeat(300))),
            ("name", json!(5)),
            ("id", json!("x")),
            ("visibility", json!("secret")),
            ("min_disk", json!(-1)),
            ("min_ram", json!("1")),
            ("protected", json!("yes")),
            ("tags", json!("t")),
            ("disk_format", json!("qcow2")),
            ("container_format", json!("docker")),
            ("status", json!("active")),
            ("size", json!(1)),
            ("os_hidden", json!(true)),
            ("hw_disk_bus", json!(1)),
        ];
        for (field, value) in bad {
            let refusal = check(field, value.clone()).unwrap_err();
            assert!(refusal.to_string().contains(field) && refusal.status().is_client_error(), "{field} {value}: {refusal}");
        }
        let good = [
            ("name", json!(null)),
            ("disk_format", json!("raw")),
            ("hw_disk_bus", json!("virtio")),
            ("tags", json!(["a"])),
            ("min_disk", json!(1)),
        ];
        for (field, value) in good {
            assert!(check(field, value.clone()).is_ok(), "{field} {value}");
        }
    }
}
