//! Microversions: which form of the API a request asks for.
//!
//! The range announced is the one in which every route that exists has the right fields; a route
//! that does not exist yet is a 404 at any version.

use std::fmt;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// `2.N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microversion(pub u16);

impl Microversion {
    /// The oldest.
    pub const MIN: Self = Self(1);
    /// The newest. openstacksdk asks for no newer one of servers by itself.
    pub const MAX: Self = Self(100);

    /// After `last` there is no such route any more: 404.
    pub fn until(self, last: Self) -> Result<(), ApiError> {
        match self <= last {
            true => Ok(()),
            false => Err(ApiError::NotFound("The resource could not be found.".into())),
        }
    }

    /// Before `since` there is no such route: 404.
    pub fn needs(self, since: Self) -> Result<(), ApiError> {
        match self >= since {
            true => Ok(()),
            false => Err(ApiError::NotFound("The resource could not be found.".into())),
        }
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2.{}", self.0)
    }
}

const HEADER: &str = "openstack-api-version";
const LEGACY_HEADER: &str = "x-openstack-nova-api-version";

/// The version that the headers ask for; none means the oldest.
fn requested(headers: &HeaderMap) -> Result<Microversion, ApiError> {
    let texts = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let ours = texts.map(str::trim).find_map(|text| {
        let (service, version) = text.split_once(char::is_whitespace)?;
        service.eq_ignore_ascii_case("compute").then(|| version.trim().to_owned())
    });
    let legacy = || headers.get(LEGACY_HEADER).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned());
    match ours.or_else(legacy) {
        None => Ok(Microversion::MIN),
        Some(text) => parse(&text),
    }
}

fn parse(text: &str) -> Result<Microversion, ApiError> {
    if text.eq_ignore_ascii_case("latest") {
        return Ok(Microversion::MAX);
    }
    let malformed = || {
        let shown: String = text.chars().take(40).collect();
        ApiError::BadRequest(format!("API Version String {shown} is of invalid format. Must be of format MajorNum.MinorNum."))
    };
    let number = |part: &str| match !part.is_empty() && part.len() <= 4 && (part == "0" || !part.starts_with('0')) {
        true => part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u16>().ok()).flatten(),
        false => None,
    };
    let (major, minor) = text.split_once('.').ok_or_else(malformed)?;
    let (major, minor) = (number(major).ok_or_else(malformed)?, number(minor).ok_or_else(malformed)?);
    let version = Microversion(minor);
    match major == 2 && (Microversion::MIN..=Microversion::MAX).contains(&version) {
        true => Ok(version),
        false => Err(ApiError::NotAcceptable(format!(
            "Version {text} is not supported by the API. Minimum is {} and maximum is {}.",
            Microversion::MIN,
            Microversion::MAX
        ))),
    }
}

/// The layer that finds out the version, and says in every answer which one it is in.
pub async fn negotiate(mut request: Request, next: Next) -> Response {
    let (version, mut response) = match requested(request.headers()) {
        Ok(version) => {
            request.extensions_mut().insert(version);
            (version, next.run(request).await)
        }
        Err(refusal) => (Microversion::MIN, refusal.into_response()),
    };
    let headers = response.headers_mut();
    let text = version.to_string();
    for (name, value) in [(HEADER, format!("compute {text}")), (LEGACY_HEADER, text)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert("vary", HeaderValue::from_static("OpenStack-API-Version, X-OpenStack-Nova-API-Version"));
    response
}

impl<S: Send + Sync> FromRequestParts<S> for Microversion {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Result<Microversion, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        requested(&map).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn the_newer_header_wins_and_other_services_are_passed_over() {
        assert_eq!(asked(&[]), Ok(Microversion::MIN));
        assert_eq!(asked(&[(HEADER, "compute 2.53")]), Ok(Microversion(53)));
        assert_eq!(asked(&[(LEGACY_HEADER, "2.9")]), Ok(Microversion(9)));
        assert_eq!(asked(&[(HEADER, "volume 3.1, compute 2.10"), (LEGACY_HEADER, "2.9")]), Ok(Microversion(10)));
        assert_eq!(asked(&[(HEADER, "volume 3.1")]), Ok(Microversion::MIN));
        assert_eq!(asked(&[(HEADER, "compute latest")]), Ok(Microversion::MAX));
    }

    #[test]
    fn malformed_is_400_and_unsupported_is_406() {
        for bad in ["2.x", "2.1.3", "foo", "2", "2.01", "", "-2.1"] {
            assert_eq!(parse(bad).map_err(|error| error.status().as_u16()), Err(400), "{bad}");
        }
        for other in ["2.999", "2.0", "3.1", "1.1", "0.5", "2.101"] {
            assert_eq!(parse(other).map_err(|error| error.status().as_u16()), Err(406), "{other}");
        }
    }
}
