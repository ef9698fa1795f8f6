//! JSON schemas, one for each range of versions, and refusals in Nova's words.
//!
//! A schema is built by a function of the version. It changes at the listed versions only, so it is
//! compiled once for each of these ranges, at its first use.

use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;

/// The longest part of a value that a refusal repeats, in characters.
const SHOWN: usize = 100;

/// Fields whose values a refusal does not repeat.
const SECRET: [&str; 6] = ["adminPass", "user_data", "password", "original_password", "contents", "secret"];

/// A schema that depends on the version.
pub struct Schema {
    build: fn(Microversion) -> Value,
    changes: &'static [u16],
    compiled: OnceLock<Result<Vec<(Microversion, Validator)>, String>>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Schema {
    /// A schema that changes at these minor versions.
    pub const fn new(build: fn(Microversion) -> Value, changes: &'static [u16]) -> Self {
        Self { build, changes, compiled: OnceLock::new() }
    }

    /// Is `body` as it should be at `version`?
    pub fn check(&'static self, version: Microversion, body: &Value) -> Result<(), ApiError> {
        #[cfg(test)]
        checked::note(self);
        let compiled = self.compiled.get_or_init(|| self.compile()).as_ref();
        let compiled = compiled.map_err(|text| ApiError::Internal(format!("a schema is wrong: {text}").into()))?;
        let range = compiled.iter().rev().find(|(since, _)| *since <= version);
        let Some((_, validator)) = range else { return Ok(()) };
        match validator.iter_errors(body).max_by_key(weight) {
            None => Ok(()),
            Some(error) => Err(refusal(&error)),
        }
    }

    /// The same, where versions do not matter.
    pub fn check_plain(&'static self, body: &Value) -> Result<(), ApiError> {
        self.check(Microversion::MIN, body)
    }

    /// The schema itself, as it is at `version`.
    pub fn at(&self, version: Microversion) -> Value {
        (self.build)(version)
    }

    fn compile(&self) -> Result<Vec<(Microversion, Validator)>, String> {
        let versions = std::iter::once(Microversion::MIN).chain(self.changes.iter().map(|minor| Microversion(*minor)));
        versions.map(|version| Ok((version, compile(&(self.build)(version))?))).collect()
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("name", is_name)
        .with_format("id", |text: &str| is_uuid(text));
    options.build(schema).map_err(|error| error.to_string())
}

/// Which schema was used last on this thread: for the test that holds declarations against it.
#[cfg(test)]
pub mod checked {
    use std::cell::Cell;

    use super::Schema;

    thread_local! {
        static LAST: Cell<Option<&'static Schema>> = const { Cell::new(None) };
    }

    pub(super) fn note(schema: &'static Schema) {
        LAST.set(Some(schema));
    }

    pub fn forget() {
        LAST.set(None);
    }

    pub fn last() -> Option<&'static Schema> {
        LAST.get()
    }
}

/// The spellings of true and false that [`crate::web::query::boolean`] knows.
const TRUTHS: [&str; 12] = ["1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"];

/// A field that is true or false, in OpenStack's spellings too.
pub fn truth() -> Value {
    json!({"type": ["boolean", "string"], "pattern": any_case(&TRUTHS)})
}

/// The pattern of these words in any case. By letters: JSON Schema's patterns have no flags.
pub fn any_case(words: &[&str]) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!("[{}{}]", letter.to_ascii_lowercase(), letter.to_ascii_uppercase()),
        false => letter.to_string(),
    };
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    format!("^({})$", words.join("|"))
}

/// Of several errors, the one that helps most: an unknown or missing field before a wrong value.
fn weight(error: &ValidationError<'_>) -> u8 {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { .. } => 2,
        ValidationErrorKind::Required { .. } => 1,
        _ => 0,
    }
}

/// Nova's words: which field, what it holds, and why not; with the way to it where it lies deeper.
fn refusal(error: &ValidationError<'_>) -> ApiError {
    let path = error.instance_path().to_string();
    let parts: Vec<String> =
        path.split('/').filter(|part| !part.is_empty()).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    let field = parts.iter().rfind(|part| part.parse::<usize>().is_err()).map_or("body", String::as_str);
    let field: String = field.chars().take(SHOWN).collect();
    let way = if parts.len() > 2 { format!(" It is at {}.", shown(&Value::String(parts.join(".")))) } else { String::new() };
    let secret = SECRET.contains(&field.as_str());
    let value = if secret { "…".to_owned() } else { shown(error.instance()) };
    ApiError::invalid(&field, value, format_args!("{}{way}", why(error)))
}

fn why(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Format { format } if format == "name" => {
            "Text of 1 to 255 printable characters is expected, without a blank at either end.".into()
        }
        ValidationErrorKind::Format { format } if format == "id" => "A UUID is expected.".into(),
        ValidationErrorKind::Pattern { pattern } if *pattern == any_case(&TRUTHS) => "True or false is expected.".into(),
        ValidationErrorKind::PropertyNames { error } => format!("One of its keys is not allowed: {}", error.masked()),
        // The value is shown beside it, shortened; here it is left out.
        _ => format!("{}.", error.masked()),
    }
}

/// A value as a refusal repeats it: short, and without what might be secret.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(map) => format!("an object with {}", map.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(SHOWN).filter(|character| !character.is_control()).collect();
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    short
}

/// Nova's rule for names: printable, not blank, no blank at either end. The length is the schema's.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
}

/// A UUID in either form.
pub fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 32 | 36) && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::query::boolean;

    static SCHEMA: Schema = Schema::new(
        |version| {
            let mut properties = json!({"name": {"type": "string", "maxLength": 5, "format": "name"}});
            if version >= Microversion(19) {
                properties["description"] = json!({"type": ["string", "null"]});
            }
            json!({"type": "object", "properties": properties, "required": ["name"], "additionalProperties": false})
        },
        &[19],
    );

    fn refused(version: u16, body: Value) -> String {
        SCHEMA.check(Microversion(version), &body).unwrap_err().to_string()
    }

    #[test]
    fn refusals_name_the_field() {
        assert!(refused(1, json!({"name": 5})).starts_with("Invalid input for field/attribute name. Value: 5."));
        assert!(refused(1, json!({"name": "abcdef"})).contains("attribute name. Value: abcdef."));
        assert!(refused(1, json!({"name": " a"})).contains("without a blank"));
        assert!(refused(1, json!({})).contains("name"));
        assert!(refused(1, json!({"name": "a", "x": 1})).contains("'x' was unexpected"));
    }

    #[test]
    fn truths_are_those_that_queries_know() {
        static TRUTH: Schema = Schema::new(|_| json!({"type": "object", "properties": {"force": truth()}}), &[]);
        let mixed = TRUTHS.iter().flat_map(|word| [(*word).to_owned(), word.to_uppercase()]);
        for word in mixed.chain(["tRue", "", "2", "truely", "fal\u{17f}e", "on\n"].map(str::to_owned)) {
            let taken = TRUTH.check_plain(&json!({"force": word})).is_ok();
            assert_eq!(taken, boolean(&word).is_some(), "{word:?}");
        }
        assert!(TRUTH.check_plain(&json!({"force": false})).is_ok());
        let refused = TRUTH.check_plain(&json!({"force": "maybe"})).unwrap_err().to_string();
        assert!(refused.ends_with("Value: maybe. True or false is expected."), "{refused}");
    }

    #[test]
    fn a_field_exists_from_its_version_on() {
        let body = json!({"name": "a", "description": null});
        assert!(refused(18, body.clone()).contains("'description' was unexpected"));
        assert!(SCHEMA.check(Microversion(19), &body).is_ok());
        assert!(SCHEMA.check(Microversion::MAX, &body).is_ok());
    }

    #[test]
    fn what_is_repeated_is_short() {
        let text = refused(1, json!({"name": "x".repeat(3000)}));
        assert!(text.len() < 400, "{text}");
    }
}
