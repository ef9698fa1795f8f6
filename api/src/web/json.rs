//! JSON as it is meant: an object that names a key twice says two things at once, and is refused instead of
//! one of them being passed over. And answers.

use std::fmt;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::ApiError;

/// What the refusal begins with, so that it is told from what the parser says.
const TWICE: &str = "a key is given twice: ";

/// Why text is no value.
#[derive(Debug, PartialEq, Eq)]
pub enum BadJson {
    Malformed,
    /// The key, shortened.
    Twice(String),
}

/// The one value in `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Value, BadJson> {
    serde_json::from_slice::<Strict>(bytes).map(|Strict(value)| value).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix(TWICE) {
            // The parser appends where.
            Some(rest) => BadJson::Twice(rest.split(" at line ").next().unwrap_or_default().to_owned()),
            None => BadJson::Malformed,
        }
    })
}

/// `value` as an answer of about so many bytes, written once and where it stays: long lists are megabytes.
pub fn answer(value: &impl Serialize, about_bytes: usize) -> Result<Response, ApiError> {
    let mut text = Vec::with_capacity(about_bytes);
    serde_json::to_writer(&mut text, value).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response())
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is expected"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                let shown: String = key.chars().filter(|character| !character.is_control()).take(64).collect();
                return Err(A::Error::custom(format_args!("{TWICE}{shown}")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_usual() {
        let text = br#"{"a": [1, -2, 2.5, "x", null, true, {"b": {}}], "c": 18446744073709551615}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_slice::<Value>(text).unwrap());
        assert_eq!(parse(b"5").unwrap(), json!(5));
    }

    #[test]
    fn a_key_given_twice_is_named_wherever_it_is() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"{"x": [{"y": {"a": 1, "b": 2, "a": 3}}]}"#, r#"{"a": 1, "\u0061": 2}"#] {
            assert_eq!(parse(text.as_bytes()), Err(BadJson::Twice("a".into())), "{text}");
        }
        assert_eq!(parse(br#"{"a": {"b": 1}, "b": 1}"#), Ok(json!({"a": {"b": 1}, "b": 1})));
        for text in ["", "{", "[1,]", "{\"a\": 1e999}", &"[".repeat(5000)] {
            assert_eq!(parse(text.as_bytes()), Err(BadJson::Malformed), "{}", &text[..text.len().min(20)]);
        }
    }
}
