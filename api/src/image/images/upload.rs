//! `PUT /v2/images/{id}/file`: the image's data, as a stream that is never held in memory.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use cuttle_model::ids::ImageId;
use cuttle_model::image::Image;
use futures::{Stream, StreamExt, stream};

use crate::error::ApiError;
use crate::image::images;
use crate::shared::Controlled;
use crate::web::caller::Caller;
use crate::web::path::PathId;

/// How long nothing may come before the upload has broken off.
const IDLE: Duration = Duration::from_secs(60);

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let image = images::get_own(&state.shared, &caller, id).await?;
    check_type(&request)?;
    check_formats(&image)?;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let (control, requester) = (state.control.clone(), caller.requester()?);
    let data = patient(request.into_body());
    // A task of its own: where the client goes away, this handler is dropped, and the import must still
    // be undone.
    let import = tokio::spawn(async move { cuttle_operations::image::import(&control, &requester, image, data, length).await });
    import.await.map_err(|error| ApiError::Internal(Box::new(error)))??;
    Ok(StatusCode::NO_CONTENT)
}

fn check_type(request: &Request) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/octet-stream") {
        true => Ok(()),
        false => Err(ApiError::UnsupportedMediaType("Unsupported Content-Type: application/octet-stream is taken.".into())),
    }
}

/// As in Glance, an image must say what it is before it gets its data.
fn check_formats(image: &Image) -> Result<(), ApiError> {
    for (field, value) in [("disk_format", &image.disk_format), ("container_format", &image.container_format)] {
        if value.is_none() {
            return Err(ApiError::invalid(field, "None", "It must be set before data is uploaded."));
        }
    }
    Ok(())
}

/// The body's chunks; an error once nothing came for too long.
fn patient(body: Body) -> impl Stream<Item = Result<Bytes, String>> + Send + 'static {
    stream::unfold(Some(body.into_data_stream()), async |data| {
        let mut data = data?;
        match tokio::time::timeout(IDLE, data.next()).await {
            Err(_) => Some((Err(format!("nothing came for {} seconds", IDLE.as_secs())), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(data))),
        }
    })
}
