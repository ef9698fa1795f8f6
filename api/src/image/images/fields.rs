//! The fields that clients may set, and what is refused: the same when an image is made and when it is changed.

use cuttle_formats::Format;
use cuttle_model::ids::ProjectId;
use cuttle_model::image::{Image, ImageStatus, Visibility};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::image::images::view::OWN_FIELDS;
use crate::web::caller::Caller;
use crate::web::validation::{Schema, shown};

/// The most custom properties, and tags: Glance's quotas.
pub const MOST_PROPERTIES: usize = 128;

/// The fields of its own that a client may set.
const SETTABLE: [&str; 10] =
    ["name", "visibility", "owner", "protected", "min_disk", "min_ram", "container_format", "disk_format", "os_hidden", "tags"];
/// Fields and beginnings of names that are nobody's to set.
const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];
const RESERVED_PREFIXES: [&str; 2] = ["os_glance", "cuttle_"];

/// `POST /images`, and each field of a patch.
pub static SCHEMA: Schema = Schema::new(|_| schema(), &[]);

/// Is every field of `body` of the right form?
pub fn check_form(body: &Value) -> Result<(), ApiError> {
    SCHEMA.check_plain(body)
}

/// Is this the name of a field that clients may set?
pub fn check_name(field: &str) -> Result<(), ApiError> {
    if RESERVED.contains(&field) || RESERVED_PREFIXES.iter().any(|prefix| field.starts_with(prefix)) {
        return Err(ApiError::Forbidden(format!("Attribute '{field}' is reserved.")));
    }
    match is_own(field) && !SETTABLE.contains(&field) {
        true => Err(ApiError::Forbidden(format!("Attribute '{field}' is read-only."))),
        false => Ok(()),
    }
}

/// A field of the image's own, not a property that a client made up.
pub fn is_own(field: &str) -> bool {
    OWN_FIELDS.contains(&field)
}

/// Sets a field to a value whose form was checked.
pub fn set(image: &mut Image, caller: &Caller, field: &str, value: &Value) -> Result<(), ApiError> {
    let text = || value.as_str().map(str::to_owned);
    match field {
        "name" => image.name = text(),
        "visibility" => image.visibility = visibility(image, caller, value)?,
        "owner" => image.project_id = owner(image, caller, value)?,
        "protected" => image.protected = value.as_bool().unwrap_or(false),
        "os_hidden" => image.hidden = value.as_bool().unwrap_or(false),
        "min_disk" => image.min_disk_gib = value.as_u64().unwrap_or(0),
        "min_ram" => image.min_ram_mib = value.as_u64().unwrap_or(0),
        "tags" => image.tags = tags(value),
        "disk_format" => {
            check_format(image, field, value, &Format::ALL.map(Format::as_str), image.disk_format.as_deref())?;
            image.disk_format = text();
        }
        "container_format" => {
            check_format(image, field, value, &["bare"], image.container_format.as_deref())?;
            image.container_format = text();
        }
        property => {
            image.properties.insert(property.to_owned(), value.as_str().unwrap_or("").to_owned());
            if image.properties.len() > MOST_PROPERTIES {
                return Err(ApiError::BadRequest(format!("At most {MOST_PROPERTIES} properties are allowed.")));
            }
        }
    }
    Ok(())
}

/// Sorted, each once.
fn tags(value: &Value) -> Vec<String> {
    let mut tags: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// Formats say what will be uploaded, so they stay once it was.
fn check_format(image: &Image, field: &str, value: &Value, known: &[&str], present: Option<&str>) -> Result<(), ApiError> {
    if value.as_str() == present {
        return Ok(());
    }
    if image.status != ImageStatus::Queued {
        return Err(ApiError::Forbidden(format!("Attribute {field} can be only replaced for a queued image.")));
    }
    match value.as_str() {
        None => Ok(()),
        Some(word) if known.contains(&word) => Ok(()),
        Some(_) => Err(ApiError::invalid(field, shown(value), format_args!("One of {} is expected.", known.join(", ")))),
    }
}

fn owner(image: &Image, caller: &Caller, value: &Value) -> Result<ProjectId, ApiError> {
    match value.as_str().map(str::parse::<ProjectId>) {
        None => Ok(image.project_id),
        Some(Ok(project)) if project == image.project_id || caller.is_admin() => Ok(project),
        Some(Ok(_)) => {
            Err(ApiError::Forbidden(format!("You are not permitted to make '{}' the owner of an image.", shown(value))))
        }
        Some(Err(_)) => Err(ApiError::invalid("owner", shown(value), "It is no project's id.")),
    }
}

fn visibility(image: &Image, caller: &Caller, value: &Value) -> Result<Visibility, ApiError> {
    let wanted = value.as_str().and_then(Visibility::from_word).unwrap_or(image.visibility);
    match wanted == Visibility::Public && image.visibility != wanted && !caller.is_admin() {
        true => Err(ApiError::Forbidden("You are not permitted to make an image public: visibility stays as it is.".into())),
        false => Ok(wanted),
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
