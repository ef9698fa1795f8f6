//! Rows whose columns come as one JSON array, where the driver has that cheaper: see `packed!` of each database.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The columns of one row.
pub(super) struct Packed<'r> {
    names: &'static [&'static str],
    values: Vec<Value<'r>>,
    /// Where the next one is looked for first: columns are mostly read in their order.
    next: Cell<usize>,
}

pub(super) enum Value<'r> {
    Null,
    Integer(i64),
    Text(Cow<'r, str>),
}

impl<'r> Packed<'r> {
    /// None: the text is not an array of so many values.
    pub(super) fn read(names: &'static [&'static str], text: &'r str) -> Option<Self> {
        let values: Vec<Value<'r>> = serde_json::from_str(text).ok()?;
        (values.len() == names.len()).then(|| Self { names, values, next: Cell::new(0) })
    }

    /// None: there is no such column.
    pub(super) fn get(&self, column: &str) -> Option<&Value<'r>> {
        let next = self.next.get();
        let order = (next..self.names.len()).chain(0..next);
        let place = order.into_iter().find(|place| self.names[*place] == column)?;
        self.next.set(place + 1);
        self.values.get(place)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        i64::try_from(value).map(Value::Integer).map_err(E::custom)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_in_any_order() {
        let packed = Packed::read(&["a", "b", "c"], r#"[1,null,"x\"y"]"#).unwrap();
        for _ in 0..2 {
            assert!(matches!(packed.get("c"), Some(Value::Text(text)) if text == "x\"y"));
            assert!(matches!(packed.get("a"), Some(Value::Integer(1))));
            assert!(matches!(packed.get("b"), Some(Value::Null)));
            assert!(packed.get("d").is_none());
        }
        for bad in ["", "[1,2]", "[1,2,3,4]", "[1,2,3.5]", "[1,2,{}]"] {
            assert!(Packed::read(&["a", "b", "c"], bad).is_none(), "{bad}");
        }
    }
}
