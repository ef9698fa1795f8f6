//! JSON bodies: bounded in size and time, an object, free of what the databases cannot hold.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use crate::error::ApiError;
use crate::web::json::{self, BadJson};

/// The largest JSON body, in bytes: Nova's.
pub const MAX_BYTES: u64 = 114_688;
/// How long a JSON body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request's JSON object.
#[derive(Debug, Clone)]
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_type(&request)?;
        parse(&read(request).await?).map(Self)
    }
}

/// The whole body of a request: not larger than [`MAX_BYTES`], and here in time.
pub async fn read(request: Request) -> Result<Bytes, ApiError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(ApiError::TooLarge { limit: MAX_BYTES });
    }
    let limit = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    let read = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), limit).collect());
    match read.await {
        Err(_) => Err(ApiError::Timeout),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge { limit: MAX_BYTES }),
        Ok(Err(_)) => Err(ApiError::BadRequest("The request's body broke off.".into())),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

fn check_type(request: &Request) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    match essence.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(ApiError::UnsupportedMediaType(format!("Unsupported Content-Type '{essence}': application/json is taken."))),
    }
}

/// The object in `bytes`.
fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    let value = parse_any(bytes)?;
    match value.is_object() {
        true => Ok(value),
        false => Err(ApiError::BadRequest("Malformed request body: it must be a JSON object.".into())),
    }
}

/// The JSON in `bytes`, of whatever kind.
pub fn parse_any(bytes: &[u8]) -> Result<Value, ApiError> {
    let value = json::parse(bytes).map_err(|bad| match bad {
        BadJson::Malformed => ApiError::BadRequest("Malformed request body".into()),
        BadJson::Twice(key) => ApiError::invalid(&key, "…", "It is given twice."),
    })?;
    match field_with_null(&value) {
        None => Ok(value),
        Some(field) => Err(ApiError::invalid(&field, "…", "It holds a null character.")),
    }
}

/// The first key or field whose text holds a null character: PostgreSQL cannot store one.
fn field_with_null(value: &Value) -> Option<String> {
    let in_child = |name: &str, child: &Value| match child {
        Value::String(text) => text.contains('\0').then(|| name.to_owned()),
        Value::Array(_) | Value::Object(_) => field_with_null(child),
        _ => None,
    };
    match value {
        Value::Object(map) => map
            .iter()
            .find_map(|(key, child)| if key.contains('\0') { Some(key.replace('\0', "")) } else { in_child(key, child) }),
        Value::Array(items) => items.iter().find_map(|item| in_child("list", item)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_are_taken() {
        assert!(parse(b"{\"a\": 1}").is_ok());
        let deep = "[".repeat(5000);
        for bad in ["", "{", "[]", "1", "null", "\"x\"", "{\"a\": 1e999}", "{'a': 1}", &deep, "\u{0}"] {
            assert!(matches!(parse(bad.as_bytes()), Err(ApiError::BadRequest(_))), "{bad}");
        }
        assert!(matches!(parse(b"\xff\xfe"), Err(ApiError::BadRequest(_))));
    }

    #[test]
    fn a_null_character_is_refused_with_its_field() {
        let error = parse(br#"{"server": {"metadata": {"k": "a\u0000b"}}}"#).unwrap_err().to_string();
        assert!(error.contains("field/attribute k."), "{error}");
    }
}
