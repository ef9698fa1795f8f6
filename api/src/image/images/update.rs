//! `PATCH /v2/images/{id}`: all of the changes, or none.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use cuttle_model::ids::ImageId;
use cuttle_model::image::Image;
use serde_json::json;

use crate::error::ApiError;
use crate::image::images::patch::{self, Change, Form};
use crate::image::images::{self, fields, view};
use crate::shared::Shared;
use crate::web::body;
use crate::web::caller::Caller;
use crate::web::path::PathId;

/// Says which media types a patch may have.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
    request: Request,
) -> Result<Response, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let Some(form) = Form::from_media_type(kind) else {
        let refusal = ApiError::UnsupportedMediaType(format!("Unsupported Content-Type: one of {} is taken.", patch::ACCEPTED));
        let mut response = refusal.into_response();
        response.headers_mut().insert(ACCEPT_PATCH, HeaderValue::from_static(patch::ACCEPTED));
        return Ok(response);
    };
    let changes = patch::changes(form, &body::parse_any(&body::read(request).await?)?)?;
    changes.iter().try_for_each(check)?;
    let image = images::change(&shared, &caller, id, |image| changes.iter().try_for_each(|change| apply(image, &caller, change)));
    Ok(Json(view::image(&image.await?)).into_response())
}

/// What can be said of a change without the image.
fn check(change: &Change) -> Result<(), ApiError> {
    let (Change::Add { field, .. } | Change::Replace { field, .. } | Change::Remove { field }) = change;
    fields::check_name(field)?;
    match change {
        Change::Add { field, value } | Change::Replace { field, value } => fields::check_form(&json!({ field: value })),
        Change::Remove { .. } => Ok(()),
    }
}

fn apply(image: &mut Image, caller: &Caller, change: &Change) -> Result<(), ApiError> {
    let missing = |field: &str| Err(ApiError::Conflict(format!("Property {field} does not exist.")));
    match change {
        Change::Replace { field, .. } if !fields::is_own(field) && !image.properties.contains_key(field) => missing(field),
        Change::Add { field, value } | Change::Replace { field, value } => fields::set(image, caller, field, value),
        Change::Remove { field } if fields::is_own(field) => {
            Err(ApiError::Forbidden(format!("Property {field} may not be removed.")))
        }
        Change::Remove { field } => match image.properties.remove(field) {
            Some(_) => Ok(()),
            None => missing(field),
        },
    }
}
