//! Writing values: what of the model has no column type of its own.

use serde::Serialize;

use super::{Attempt, Failure};

/// A count or size, all of which fit 63 bits in a world that is not out of its mind.
pub(super) fn integer<T: TryInto<i64>>(table: &'static str, column: &'static str, value: T) -> Attempt<i64> {
    value.try_into().map_err(|_| Failure::BadValue { table, column })
}

pub(super) fn json<T: Serialize>(table: &'static str, column: &'static str, value: &T) -> Attempt<String> {
    serde_json::to_string(value).map_err(|_| Failure::BadValue { table, column })
}

/// A limit: one that is too large to be stored limits nothing.
pub(super) fn limit(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
