//! Refusals and failures, and how each service writes them.
//!
//! A handler returns an [`ApiError`]. It travels as an extension of an empty response; the layer
//! [`render`] of the service turns it into that service's shape, with the request id at hand.
//! This is the only place that knows which HTTP status an error has.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cuttle_model::ids::RequestId;
use cuttle_operations::join::JoinRefusal;
use cuttle_operations::{HostError, ImportError, RequestError};
use serde_json::{Value, json};

use crate::authority::SignError;
use crate::web::address::Address;
use crate::web::routes::Service;

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request itself is wrong; the text names the field.
    #[error("{0}")]
    BadRequest(String),
    /// No valid token, or wrong credentials. It says no more than that.
    #[error("The request you have made requires authentication.")]
    Unauthorized,
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    NotAcceptable(String),
    #[error("The request did not arrive in time.")]
    Timeout,
    #[error("{0}")]
    Conflict(String),
    #[error("Request is too large: at most {limit} bytes are taken.")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// Too many wrong passwords.
    #[error("Too many failed attempts. Wait {} seconds.", retry_after.as_secs())]
    TooManyFailures { retry_after: std::time::Duration },
    /// It may work later.
    #[error("{what} cannot be reached now; try again.")]
    Unavailable {
        what: &'static str,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Our fault. The cause is logged, not shown.
    #[error("An unexpected error prevented the server from fulfilling your request.")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl ApiError {
    /// A value that is refused, in Nova's words.
    pub fn invalid(field: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::BadRequest(format!("Invalid input for field/attribute {field}. Value: {value}. {why}"))
    }

    /// Something that OpenStack knows and this service does not do yet.
    pub fn not_yet(field: &str, value: impl std::fmt::Display) -> Self {
        Self::invalid(field, value, format_args!("'{field}' is not supported by this service yet."))
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<cuttle_database::Error> for ApiError {
    fn from(error: cuttle_database::Error) -> Self {
        match error {
            cuttle_database::Error::Unavailable { .. } => Self::Unavailable { what: "The database", source: Box::new(error) },
            _ => Self::Internal(Box::new(error)),
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotFound => Self::NotFound("The resource could not be found.".into()),
            RequestError::ImageProtected | RequestError::OverQuota(_) => Self::Forbidden(error.to_string()),
            RequestError::Conflict { ref allowed, .. } => {
                let mut allowed: Vec<&str> = allowed.iter().map(|request| request.as_str()).collect();
                // A soft and a hard reboot have one word.
                allowed.dedup();
                let now = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                Self::Conflict(format!("{}; allowed now: {now}.", capital(&error.to_string())))
            }
            RequestError::Busy | RequestError::NoDisk | RequestError::ImageStatus(_) => Self::Conflict(sentence(&error)),
            RequestError::DiskTooSmall { .. } | RequestError::BadFlavor(_) => {
                Self::invalid("flavorRef", "the flavor", sentence(&error))
            }
            RequestError::BadResize(why) => Self::BadRequest(why),
            RequestError::NoValidHost(why) => Self::BadRequest(why),
            RequestError::NoSuchHost(_) | RequestError::SameHost(_) => Self::BadRequest(error.to_string()),
            RequestError::NoGroup => Self::BadRequest("Instance group could not be found.".into()),
            RequestError::DriveNeeded(_) => Self::invalid("config_drive", "false", sentence(&error)),
            RequestError::HostSilent | RequestError::HostFailed(_) => {
                Self::Unavailable { what: "The instance's host", source: Box::new(error) }
            }
            RequestError::Failed(_) => Self::Unavailable { what: "What this needs", source: Box::new(error) },
            RequestError::Database(error) => error.into(),
        }
    }
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::WrongStatus(_) => Self::Conflict(sentence(&error)),
            ImportError::Interrupted { .. } | ImportError::WrongSize { .. } | ImportError::Empty => {
                Self::BadRequest(sentence(&error))
            }
            ImportError::BadFile(_) => Self::BadRequest(sentence(&error)),
            ImportError::Deleted => Self::NotFound(sentence(&error)),
            ImportError::TooLarge { limit } => Self::TooLarge { limit },
            ImportError::Storage(_) => Self::Unavailable { what: "The storage", source: Box::new(error) },
            ImportError::Database(_) => Self::Unavailable { what: "The database", source: Box::new(error) },
        }
    }
}

impl From<JoinRefusal> for ApiError {
    fn from(error: JoinRefusal) -> Self {
        match error {
            JoinRefusal::Protocol { .. } => Self::BadRequest(sentence(&error)),
            JoinRefusal::Database(error) => error.into(),
            _ => Self::Forbidden(sentence(&error)),
        }
    }
}

impl From<SignError> for ApiError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Request(_) => Self::BadRequest(sentence(&error)),
            SignError::Sign(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Exists(_) | HostError::InUse { .. } | HostError::SharedIdentity { .. } | HostError::Rotating(_) => {
                Self::Conflict(sentence(&error))
            }
            HostError::NotFound(_) => Self::NotFound(sentence(&error)),
            HostError::Protocol { .. } => Self::BadRequest(sentence(&error)),
            HostError::WrongHost { .. } => Self::Forbidden(sentence(&error)),
            HostError::Ceph(_) => Self::Unavailable { what: "The storage", source: Box::new(error) },
            HostError::Database(error) => error.into(),
        }
    }
}

fn sentence(error: &impl std::fmt::Display) -> String {
    capital(&format!("{error}."))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The error on its way to [`render`].
#[derive(Clone)]
struct Failure(Arc<ApiError>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

/// The layer that writes errors as `service` does, and logs those that are ours.
pub async fn render(service: Service, request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let address = request.extensions().get::<Address>().cloned();
    let response = next.run(request).await;
    let failure = response.extensions().get::<Failure>().cloned();
    let status = response.status();
    let message = match &failure {
        Some(Failure(error)) if status.is_server_error() => {
            let id = request_id.as_ref().map_or("", RequestId::as_str);
            tracing::error!(request_id = id, status = status.as_u16(), error = %chain(error.as_ref()), "request failed");
            format!("{error} ({id})")
        }
        Some(Failure(error)) => error.to_string(),
        // An error of the framework itself, or a finished error answer.
        None if status.is_client_error()
            && response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") =>
        {
            status.canonical_reason().unwrap_or("Refused").to_owned()
        }
        None => return response,
    };
    let mut response = written(service, status, &message, response);
    if let Some(ApiError::TooManyFailures { retry_after }) = failure.as_ref().map(|Failure(error)| error.as_ref()) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = format!("Keystone uri=\"{}\"", address.map(|address| address.url("/identity/v3")).unwrap_or_default());
        let challenge = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Keystone"));
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Puts the error's body and headers into `response`.
fn written(service: Service, status: StatusCode, message: &str, mut response: Response) -> Response {
    *response.body_mut() = Body::from(body(service, status, message).to_string());
    let headers = response.headers_mut();
    headers.remove(axum::http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// An error's body, in the service's shape.
fn body(service: Service, status: StatusCode, message: &str) -> Value {
    let (code, title) = (status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    match service {
        Service::Compute => json!({ compute_name(status): { "code": code, "message": message } }),
        Service::Identity | Service::Operator => json!({ "error": { "code": code, "message": message, "title": title } }),
        Service::Image => json!({ "code": code, "message": message, "title": title }),
    }
}

/// Nova's name of a status.
fn compute_name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        415 => "badMediaType",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

/// An error and its causes, outermost first.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    text
}

/// What a panic becomes: the last resort.
pub fn from_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "?".into());
    ApiError::Internal(format!("a handler panicked: {text}").into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_shape() {
        let status = StatusCode::NOT_FOUND;
        assert_eq!(body(Service::Compute, status, "x"), json!({"itemNotFound": {"code": 404, "message": "x"}}));
        assert_eq!(body(Service::Identity, status, "x"), json!({"error": {"code": 404, "message": "x", "title": "Not Found"}}));
        assert_eq!(body(Service::Image, status, "x"), json!({"code": 404, "message": "x", "title": "Not Found"}));
    }

    #[test]
    fn nova_names_a_version_that_is_not_acceptable_a_fault() {
        assert_eq!(compute_name(StatusCode::NOT_ACCEPTABLE), "computeFault");
        assert_eq!(compute_name(StatusCode::PAYLOAD_TOO_LARGE), "overLimit");
    }

    #[test]
    fn a_conflict_says_what_is_allowed() {
        use cuttle_model::instance::StateName;
        use cuttle_model::machine::Request;
        let error = RequestError::Conflict {
            state: StateName::Active,
            task: None,
            request: Request::Start,
            allowed: vec![Request::Stop, Request::Delete],
        };
        let shown = ApiError::from(error).to_string();
        assert!(shown.starts_with("Cannot 'start' an instance in state active") && shown.ends_with("stop, delete."), "{shown}");
    }
}
