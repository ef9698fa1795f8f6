//! Reading rows: each column becomes a value of the model, or the error names table, row and column.

use std::fmt::Display;
use std::str::FromStr;

use cuttle_model::clock::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row as _, ValueRef};

use super::{Attempt, Failure, Row};

/// A row of `table`, whose column `key` names it.
pub(super) struct Columns<'r> {
    row: &'r Row,
    table: &'static str,
    key: &'static str,
}

impl<'r> Columns<'r> {
    pub(super) fn new(table: &'static str, key: &'static str, row: &'r Row) -> Self {
        Self { row, table, key }
    }

    /// Says that this column's value is not understood.
    pub(super) fn bad(&self, column: &'static str) -> Failure {
        // The key may be a number, or a hash that nobody needs to see.
        let row = self.row.try_get::<String, _>(self.key).unwrap_or_else(|_| "(unnamed)".to_owned());
        Failure::BadRow { table: self.table, row, column }
    }

    pub(super) fn text(&self, column: &'static str) -> Attempt<&'r str> {
        self.row.try_get(column).map_err(|_| self.bad(column))
    }

    pub(super) fn string(&self, column: &'static str) -> Attempt<String> {
        self.text(column).map(str::to_owned)
    }

    pub(super) fn integer(&self, column: &'static str) -> Attempt<i64> {
        self.row.try_get(column).map_err(|_| self.bad(column))
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
        match self.row.try_get_raw(column)?.is_null() {
            true => Ok(None),
            false => read(self, column).map(Some),
        }
    }
}
