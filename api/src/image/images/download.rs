//! `GET /v2/images/{id}/file`: the image's data, as a stream, whole or from one place to another.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::response::Builder;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use cuttle_model::ids::ImageId;
use cuttle_model::image::ImageStatus;

use crate::error::ApiError;
use crate::image::images;
use crate::shared::Controlled;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let image = images::get(&state.shared, &caller, id).await?;
    match image.status {
        ImageStatus::Active => {}
        ImageStatus::Deactivated if caller.is_admin() => {}
        ImageStatus::Deactivated => {
            return Err(ApiError::Forbidden(
                "The requested image has been deactivated. Image data download is forbidden.".into(),
            ));
        }
        ImageStatus::Queued | ImageStatus::Saving | ImageStatus::Deleted => return Ok(StatusCode::NO_CONTENT.into_response()),
    }
    let unreachable = |error| ApiError::Unavailable { what: "The storage", source: Box::new(error) };
    let Some(data) = cuttle_operations::image::data(&state.control, &image).await.map_err(unreachable)? else {
        return Err(ApiError::Internal(format!("image {id} is active and has no data").into()));
    };
    let size = data.size_bytes();
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let (start, end, response) = match asked.map(|text| range(text, size)) {
        None | Some(Range::Ignored) => {
            // A converted image is downloaded as the disk that it holds, while its checksum is that of the upload. Clients that
            // compare both take an empty header as "not known"; without one they would ask for the image's checksum.
            let md5 = image.checksum.as_deref().filter(|_| data.is_upload).unwrap_or("");
            (0, size, Response::builder().status(StatusCode::OK).header("content-md5", md5))
        }
        Some(Range::Of(start, end)) => {
            let range = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
            (start, end, Response::builder().status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range))
        }
        Some(Range::Outside) => {
            let response = Response::builder().status(StatusCode::RANGE_NOT_SATISFIABLE);
            return finished(response.header(CONTENT_RANGE, format!("bytes */{size}")), Body::empty());
        }
    };
    let response = response
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, end - start)
        .header(ACCEPT_RANGES, "bytes");
    finished(response, Body::from_stream(data.stream(start, end)))
}

fn finished(response: Builder, body: Body) -> Result<Response<Body>, ApiError> {
    response.body(body).map_err(|error| ApiError::Internal(Box::new(error)))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// From here up to there, which is not part of it.
    Of(u64, u64),
    /// Nothing of it is there.
    Outside,
    /// Of another kind, or several: then all is sent, as HTTP allows.
    Ignored,
}

/// What a `Range` header asks for, of so many bytes.
fn range(text: &str, size: u64) -> Range {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Range::Ignored;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let found = match (first.trim(), last.trim()) {
        ("", last) => number(last).map(|count| (size.saturating_sub(count), size, count == 0)),
        (first, "") => number(first).map(|first| (first, size, false)),
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some((first, last.saturating_add(1).min(size), false)),
            _ => None,
        },
    };
    match found {
        None => Range::Ignored,
        Some((start, end, empty)) if empty || start >= end => Range::Outside,
        Some((start, end, _)) => Range::Of(start, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-9", Range::Of(0, 10)),
            ("bytes=5-", Range::Of(5, 100)),
            ("bytes=-5", Range::Of(95, 100)),
            ("bytes=-500", Range::Of(0, 100)),
            ("bytes=90-1000", Range::Of(90, 100)),
            ("bytes=100-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=99999999999999999999-", Range::Ignored),
            ("bytes=9-5", Range::Ignored),
            ("bytes=0-1,5-6", Range::Ignored),
            ("lines=0-1", Range::Ignored),
            ("bytes=", Range::Ignored),
            ("bytes=-", Range::Ignored),
        ] {
            assert_eq!(range(text, 100), expected, "{text}");
        }
        assert_eq!(range("bytes=0-0", 0), Range::Outside);
    }
}
