//! JSON patches in Glance's two forms, as far as their form goes.
//!
//! Version 2.1: `[{"op": "replace", "path": "/name", "value": "x"}]`; version 2.0: `[{"replace": "/name", "value": "x"}]`.

use serde_json::Value;

use crate::error::ApiError;

/// The media types that are taken: what `Accept-Patch` says.
pub const ACCEPTED: &str = "application/openstack-images-v2.1-json-patch, application/openstack-images-v2.0-json-patch";
/// The most changes of one request.
const MOST_CHANGES: usize = 512;

/// Which form a patch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    V20,
    V21,
}

/// One change, of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets the field, whether it is there or not.
    Add { field: String, value: Value },
    /// Sets a field that is there.
    Replace { field: String, value: Value },
    /// Removes a field that is there.
    Remove { field: String },
}

impl Form {
    pub fn from_media_type(kind: &str) -> Option<Self> {
        match kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "application/openstack-images-v2.1-json-patch" => Some(Self::V21),
            "application/openstack-images-v2.0-json-patch" => Some(Self::V20),
            _ => None,
        }
    }
}

/// The changes that a body asks for.
pub fn changes(form: Form, body: &Value) -> Result<Vec<Change>, ApiError> {
    let Some(operations) = body.as_array() else { return Err(bad("Request body must be a JSON array of operation objects.")) };
    if operations.len() > MOST_CHANGES {
        return Err(bad(format!("At most {MOST_CHANGES} operations are taken at once.")));
    }
    operations.iter().map(|operation| change(form, operation)).collect()
}

fn change(form: Form, operation: &Value) -> Result<Change, ApiError> {
    let Some(members) = operation.as_object() else { return Err(bad("Operations must be JSON objects.")) };
    let (word, path) = match form {
        Form::V21 => {
            let word = members.get("op").ok_or_else(|| bad("Unable to find 'op' in JSON Schema change"))?;
            let path = members.get("path").ok_or_else(|| bad("Unable to find 'path' in JSON Schema change"))?;
            (word.as_str().unwrap_or(""), path)
        }
        Form::V20 => {
            let found = ["add", "replace", "remove"].into_iter().find_map(|word| Some((word, members.get(word)?)));
            found.ok_or_else(|| {
                bad("Operation objects must contain exactly one member named \"add\", \"remove\", or \"replace\".")
            })?
        }
    };
    let field = field(path.as_str().ok_or_else(|| bad("Operation member 'path' must be a string."))?)?;
    let value = || {
        let value = members.get("value").cloned();
        value.ok_or_else(|| bad(format!("Operation \"{word}\" requires a member named \"value\".")))
    };
    match word {
        "add" => Ok(Change::Add { value: value()?, field }),
        "replace" => Ok(Change::Replace { value: value()?, field }),
        "remove" => Ok(Change::Remove { field }),
        other => {
            let other: String = other.chars().take(32).collect();
            Err(bad(format!("Invalid operation: '{other}'. It must be one of the following: add, replace, remove.")))
        }
    }
}

/// The field that a JSON pointer names. Images are flat, so it has one part.
fn field(pointer: &str) -> Result<String, ApiError> {
    let shown: String = pointer.chars().take(64).collect();
    let Some(name) = pointer.strip_prefix('/') else { return Err(bad(format!("Pointer `{shown}` does not start with \"/\"."))) };
    if name.trim().is_empty() {
        return Err(bad(format!("Pointer `{shown}` does not contain a valid token.")));
    }
    if name.ends_with('/') {
        return Err(bad(format!("Pointer `{shown}` end with \"/\".")));
    }
    if name.contains('/') {
        return Err(bad(format!("Invalid JSON pointer for this resource: '{shown}'")));
    }
    let mut field = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        match (character, if character == '~' { characters.next() } else { None }) {
            ('~', Some('0')) => field.push('~'),
            ('~', Some('1')) => field.push('/'),
            ('~', _) => {
                return Err(bad(format!("Pointer `{shown}` contains \"~\" not part of a recognized escape sequence.")));
            }
            (plain, _) => field.push(plain),
        }
    }
    Ok(field)
}

fn bad(text: impl Into<String>) -> ApiError {
    ApiError::BadRequest(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let expected = vec![
            Change::Replace { field: "name".into(), value: json!("x") },
            Change::Add { field: "a/b~c".into(), value: json!("y") },
            Change::Remove { field: "z".into() },
        ];
        let new = json!([
            {"op": "replace", "path": "/name", "value": "x"},
            {"op": "add", "path": "/a~1b~0c", "value": "y"},
            {"op": "remove", "path": "/z"},
        ]);
        let old = json!([{"replace": "/name", "value": "x"}, {"add": "/a~1b~0c", "value": "y"}, {"remove": "/z"}]);
        assert_eq!(changes(Form::V21, &new).unwrap(), expected);
        assert_eq!(changes(Form::V20, &old).unwrap(), expected);
        assert_eq!(changes(Form::V21, &json!([])).unwrap(), []);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bad in [
            json!({}),
            json!("x"),
            json!(["x"]),
            json!([{}]),
            json!([{"op": "replace"}]),
            json!([{"path": "/name", "value": "x"}]),
            json!([{"op": "replace", "path": "/name"}]),
            json!([{"op": "move", "path": "/name", "from": "/x"}]),
            json!([{"op": 5, "path": "/name"}]),
            json!([{"op": "remove", "path": 5}]),
            json!([{"op": "remove", "path": "name"}]),
            json!([{"op": "remove", "path": "/"}]),
            json!([{"op": "remove", "path": "/ "}]),
            json!([{"op": "remove", "path": "/a/"}]),
            json!([{"op": "remove", "path": "/tags/0"}]),
            json!([{"op": "remove", "path": "/a~2"}]),
            json!([{"op": "remove", "path": "/a~"}]),
            json!(vec![json!({"op": "remove", "path": "/a"}); MOST_CHANGES + 1]),
        ] {
            assert!(matches!(changes(Form::V21, &bad), Err(ApiError::BadRequest(_))), "{bad}");
        }
        assert!(changes(Form::V20, &json!([{"op": "remove", "path": "/a"}])).is_err());
    }

    #[test]
    fn the_media_type_says_the_form() {
        assert_eq!(Form::from_media_type("application/openstack-images-v2.1-json-patch; charset=utf-8"), Some(Form::V21));
        assert_eq!(Form::from_media_type("application/openstack-images-v2.0-json-patch"), Some(Form::V20));
        for other in ["", "application/json", "application/openstack-images-v2.2-json-patch"] {
            assert_eq!(Form::from_media_type(other), None);
        }
    }
}
