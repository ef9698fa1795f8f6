//! Ids in paths. A malformed one names nothing that exists: 404, as everywhere in OpenStack.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::Uri;
use axum::http::request::Parts;

use crate::error::ApiError;

/// The one id in a route's path.
#[derive(Debug, Clone)]
pub struct PathId<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let missing = |text: &str| ApiError::NotFound(format!("'{}' could not be found.", shown(text)));
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing("it"))?;
        if text.contains('\0') {
            return Err(missing(&text));
        }
        text.parse().map(Self).map_err(|_| missing(&text))
    }
}

/// The ids in a route's path, in their order.
#[derive(Debug, Clone)]
pub struct PathIds<T>(pub T);

macro_rules! several {
    ($($name:ident),+; $($text:ident),+) => {
        impl<$($name: FromStr,)+ S: Send + Sync> FromRequestParts<S> for PathIds<($($name,)+)> {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                let missing = |text: &str| ApiError::NotFound(format!("'{}' could not be found.", shown(text)));
                let Path(($($text,)+)) = Path::<($(several!(@text $name),)+)>::from_request_parts(parts, state)
                    .await
                    .map_err(|_| missing("it"))?;
                Ok(Self(($($text.parse().map_err(|_| missing(&$text))?,)+)))
            }
        }
    };
    (@text $name:ident) => { String };
}

several!(A, B; a, b);
several!(A, B, C; a, b, c);

/// The two of a route that names something of something: `/servers/{id}/tags/{key}`.
#[derive(Debug, Clone)]
pub struct PathPair<T>(pub T, pub String);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathPair<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let missing = |text: &str| ApiError::NotFound(format!("'{}' could not be found.", shown(text)));
        let Path((id, key)) = Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| missing("it"))?;
        if id.contains('\0') || key.contains('\0') {
            return Err(missing(&key));
        }
        Ok(Self(id.parse().map_err(|_| missing(&id))?, key))
    }
}

/// At most 64 characters of what a client sent.
fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// The project id that a client put into the path, as it did before compute 2.18.
#[derive(Debug, Clone)]
pub struct ProjectInPath(pub String);

/// Takes a project id from the front of the path, so that `/<project>/servers` is `/servers`.
pub fn take_project(mut request: Request) -> Request {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix('/').unwrap_or(&path);
    let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let is_id = first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return request;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("/{rest}{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(ProjectInPath(first.to_owned()));
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_project_id_is_taken_from_the_path_and_nothing_else_is() {
        let taken = |uri: &str| {
            let request = take_project(Request::builder().uri(uri).body(Body::empty()).unwrap());
            (request.uri().to_string(), request.extensions().get::<ProjectInPath>().is_some())
        };
        let id = "8c1f0d0e29e94c7b9f390d8f9c1d2a3b";
        assert_eq!(taken(&format!("/{id}/servers/detail?limit=1")), ("/servers/detail?limit=1".into(), true));
        assert_eq!(taken("/servers/detail"), ("/servers/detail".into(), false));
        assert_eq!(taken("/flavors"), ("/flavors".into(), false));
    }
}
