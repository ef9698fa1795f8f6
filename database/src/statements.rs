//! Statements in the log, for those who look for a slow one, and for tests that count them.

use std::time::Duration;

use log::LevelFilter;
use sqlx::ConnectOptions;

/// Each statement is an event of the target `sqlx::query` at the lowest level: its text, never its values.
pub(crate) fn traced<O: ConnectOptions>(options: O) -> O {
    options.log_statements(LevelFilter::Trace).log_slow_statements(LevelFilter::Off, Duration::MAX)
}
