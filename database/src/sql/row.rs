//! Reading rows: each column becomes a value of the model, or the error names table, row and column.

use std::fmt::Display;
use std::str::FromStr;

use cuttle_model::clock::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row as _, ValueRef};

use super::packed::{Packed, Value};
use super::{Attempt, Failure, IS_PACKED, Row};

/// A row of `table`, whose column `key` names it.
pub(super) struct Columns<'r> {
    source: Source<'r>,
    table: &'static str,
    key: &'static str,
}

enum Source<'r> {
    Row(&'r Row),
    Packed(Packed<'r>),
}

impl<'r> Columns<'r> {
    pub(super) fn new(table: &'static str, key: &'static str, row: &'r Row) -> Self {
        Self { source: Source::Row(row), table, key }
    }

    /// A row of the columns `names`, which were asked for by `packed!`.
    pub(super) fn packed(table: &'static str, key: &'static str, names: &'static [&'static str], row: &'r Row) -> Attempt<Self> {
        if !IS_PACKED {
            return Ok(Self::new(table, key, row));
        }
        let packed = row.try_get(0).ok().and_then(|text| Packed::read(names, text));
        let packed = packed.ok_or_else(|| Failure::BadRow { table, row: "(unnamed)".to_owned(), column: "(all)" })?;
        Ok(Self { source: Source::Packed(packed), table, key })
    }

    /// Says that this column's value is not understood.
    pub(super) fn bad(&self, column: &'static str) -> Failure {
        // The key may be a number, or a hash that nobody needs to see.
        let row = self.find_text(self.key).unwrap_or("(unnamed)").to_owned();
        Failure::BadRow { table: self.table, row, column }
    }

    pub(super) fn text(&self, column: &'static str) -> Attempt<&str> {
        self.find_text(column).ok_or_else(|| self.bad(column))
    }

    fn find_text(&self, column: &'static str) -> Option<&str> {
        match &self.source {
            Source::Row(row) => row.try_get(column).ok(),
            Source::Packed(packed) => match packed.get(column)? {
                Value::Text(text) => Some(text),
                Value::Null | Value::Integer(_) => None,
            },
        }
    }

    pub(super) fn string(&self, column: &'static str) -> Attempt<String> {
        self.text(column).map(str::to_owned)
    }

    pub(super) fn integer(&self, column: &'static str) -> Attempt<i64> {
        let found = match &self.source {
            Source::Row(row) => row.try_get(column).ok(),
            Source::Packed(packed) => match packed.get(column) {
                Some(Value::Integer(number)) => Some(*number),
                Some(Value::Null | Value::Text(_)) | None => None,
            },
        };
        found.ok_or_else(|| self.bad(column))
    }

    /// An integer of the type that it has in the model.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Attempt<T> {
        T::try_from(self.integer(column)?).map_err(|_| self.bad(column))
    }

    pub(super) fn flag(&self, column: &'static str) -> Attempt<bool> {
        match self.integer(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.bad(column)),
        }
    }

    pub(super) fn time(&self, column: &'static str) -> Attempt<Timestamp> {
        self.integer(column).map(Timestamp::from_micros)
    }

    /// An id, or a name with a form.
    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Attempt<T>
    where
        T::Err: Display,
    {
        self.text(column)?.parse().map_err(|_| self.bad(column))
    }

    /// A word of an enum.
    pub(super) fn word<T>(&self, column: &'static str, meaning: impl Fn(&str) -> Option<T>) -> Attempt<T> {
        meaning(self.text(column)?).ok_or_else(|| self.bad(column))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Attempt<T> {
        serde_json::from_str(self.text(column)?).map_err(|_| self.bad(column))
    }

    /// `None` where the column is null, else what `read` makes of it.
    pub(super) fn maybe<T>(&self, column: &'static str, read: impl Fn(&Self, &'static str) -> Attempt<T>) -> Attempt<Option<T>> {
        let is_null = match &self.source {
            Source::Row(row) => row.try_get_raw(column)?.is_null(),
            Source::Packed(packed) => matches!(packed.get(column), Some(Value::Null)),
        };
        match is_null {
            true => Ok(None),
            false => read(self, column).map(Some),
        }
    }
}
