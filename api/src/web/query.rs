//! Query strings: single and repeated keys, numbers, paging.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use cuttle_model::clock::Timestamp;

use crate::error::ApiError;

/// The largest page.
pub const MAX_LIMIT: u32 = 1000;

/// A request's query, in the order given.
#[derive(Debug, Clone, Default)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// The value of a key that may be given once.
    pub fn one<'a>(&'a self, key: &str) -> Result<Option<&'a str>, ApiError> {
        let mut values = self.all(key);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(second) => Err(ApiError::invalid(key, second, "It may be given once.")),
        }
    }

    /// The last value of a key, as services that are less strict take it.
    pub fn last<'a>(&'a self, key: &str) -> Option<&'a str> {
        self.all(key).last()
    }

    /// All values of a key.
    pub fn all<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// A whole number that is not negative.
    pub fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.one(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ApiError::invalid(key, text, "It must be a whole number, not less than 0."))
    }

    /// A time in ISO 8601.
    pub fn time(&self, key: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.one(key)? else { return Ok(None) };
        let found = Timestamp::parse_iso(text);
        found.map(Some).ok_or_else(|| ApiError::invalid(key, text, "A time in ISO 8601 is expected."))
    }

    /// How many to list: what is asked for, `default` where nothing is or 0, never more than [`MAX_LIMIT`].
    pub fn limit(&self, default: u32) -> Result<u32, ApiError> {
        let asked = self.number("limit")?.filter(|limit| *limit > 0);
        Ok(asked.map_or(default, |limit| u32::try_from(limit).unwrap_or(MAX_LIMIT)).min(MAX_LIMIT))
    }

    /// Refuses every key that is not among `known`.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.keys().find(|key| !known.contains(key)) {
            None => Ok(()),
            Some(key) => Err(ApiError::BadRequest(format!("Additional properties are not allowed ('{key}' was unexpected)"))),
        }
    }

    /// This query with another marker, percent-encoded, for the link to the next page.
    pub fn with_marker(&self, marker: &str) -> String {
        let marker = format!("marker={}", encoded(marker));
        match self.without_marker() {
            others if others.is_empty() => marker,
            others => format!("{others}&{marker}"),
        }
    }

    /// This query without a marker, percent-encoded, for the link to the first page.
    pub fn without_marker(&self) -> String {
        let others = self.0.iter().filter(|(key, _)| key != "marker");
        others.map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect::<Vec<_>>().join("&")
    }
}

/// Percent-encodes all but what is never special.
pub fn encoded(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let encode = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    Cow::Owned(text.bytes().map(encode).collect())
}

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::BadRequest("Malformed query string.".into()))?;
        match pairs.iter().find(|(key, value)| key.contains('\0') || value.contains('\0')) {
            None => Ok(Self(pairs)),
            Some(_) => Err(ApiError::BadRequest("Malformed query string: it holds a null character.".into())),
        }
    }
}

/// OpenStack's spellings of true and false.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        Pairs(list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn limits() {
        assert_eq!(pairs(&[]).limit(25).unwrap(), 25);
        assert_eq!(pairs(&[("limit", "0")]).limit(1000).unwrap(), 1000);
        assert_eq!(pairs(&[("limit", "7")]).limit(25).unwrap(), 7);
        assert_eq!(pairs(&[("limit", "99999999999")]).limit(25).unwrap(), 1000);
        for bad in ["-1", "x", "1.5", ""] {
            assert!(pairs(&[("limit", bad)]).limit(25).is_err(), "{bad}");
        }
        assert!(pairs(&[("limit", "1"), ("limit", "2")]).limit(25).is_err());
    }

    #[test]
    fn the_next_page_keeps_everything_but_the_marker() {
        let query = pairs(&[("name", "a b&c"), ("marker", "old"), ("limit", "2")]);
        assert_eq!(query.with_marker("new"), "name=a%20b%26c&limit=2&marker=new");
    }
}
