//! `POST /v2/images`: an image by name, without data yet.

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cuttle_database::Inserted;
use cuttle_model::ids::ImageId;
use cuttle_model::image::{Image, ImageStatus, Visibility};
use serde_json::Value;

use crate::error::ApiError;
use crate::image::images::{fields, view};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;

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
    let given = || body.as_object().into_iter().flatten().filter(|(field, _)| *field != "id");
    given().try_for_each(|(field, _)| fields::check_name(field))?;
    fields::check_form(body)?;
    let now = shared.now();
    let id = body["id"].as_str().and_then(|id| id.parse().ok());
    let mut image = Image {
        id: id.unwrap_or_else(|| ImageId::new(shared.ids.as_ref())),
        project_id: caller.project_id()?,
        name: None,
        status: ImageStatus::Queued,
        // Glance's default: for the project, until it is shared with others.
        visibility: Visibility::Shared,
        protected: false,
        disk_format: None,
        container_format: None,
        min_disk_gib: 0,
        min_ram_mib: 0,
        size_bytes: None,
        virtual_size_bytes: None,
        checksum: None,
        sha512: None,
        hidden: false,
        failure: None,
        tags: Vec::new(),
        properties: Default::default(),
        created_at: now,
        updated_at: now,
        generation: 1,
    };
    given().try_for_each(|(field, value)| fields::set(&mut image, caller, field, value))?;
    Ok(image)
}
