//! The address under which a client sees this service, for links and catalogs.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::request::Parts;

use crate::shared::Shared;

/// `http://cloud.example:8774`, without a slash at the end.
#[derive(Debug, Clone)]
pub struct Address(String);

impl Address {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The configured address, or else the one that the client used.
    pub fn of(shared: &Shared, headers: &HeaderMap, uri_authority: Option<&str>) -> Self {
        if let Some(url) = &shared.public_url {
            return Self(url.trim_end_matches('/').to_owned());
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| is_plain(text));
        let host = text("x-forwarded-host").or_else(|| text(HOST.as_str())).or(uri_authority).unwrap_or("localhost");
        let scheme = text("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
        Self(format!("{scheme}://{host}"))
    }
}

/// Only what a host and port are made of: the text ends up in bodies.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

impl<S> FromRequestParts<S> for Address
where
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Put there by the outermost layer.
        Ok(parts.extensions.get::<Address>().cloned().unwrap_or_else(|| Self("http://localhost".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_cannot_carry_markup() {
        assert!(is_plain("cloud.example:8774") && is_plain("[::1]:8774"));
        for bad in ["", "a b", "a/b", "a\"b", "<x>", &"a".repeat(256)] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
