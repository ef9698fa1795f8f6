//! What can go wrong with the database, in words that hold no data and no password.

use std::fmt;

/// A database call that failed. It says nothing of the data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is too busy; the same call may work later. A write that
    /// failed so may have been done: the answer to the commit may be what got lost.
    #[error("the database did not answer ({action})")]
    Unavailable {
        action: &'static str,
        #[source]
        source: Cause,
    },
    /// The database refused the statement.
    #[error("the database refused to {action}")]
    Refused {
        action: &'static str,
        #[source]
        source: Cause,
    },
    /// A row holds something that no version of this program writes.
    #[error("column {column} of {table} {row} holds a value that is not understood")]
    BadRow { table: &'static str, row: String, column: &'static str },
    /// A value does not fit its column, such as a size beyond 2^63.
    #[error("the value for column {column} of {table} cannot be stored")]
    BadValue { table: &'static str, column: &'static str },
    /// The schema is of another version, or could not be changed.
    #[error("the database's schema cannot be brought to this version")]
    Migration(#[source] Cause),
    /// The address is not one of a database that is supported.
    #[error("the database address is not understood: {0}")]
    BadAddress(String),
}

/// The driver's word for what went wrong: its code and message, without the rows and values that a
/// driver's error may carry beside them.
#[derive(Clone, PartialEq, Eq)]
pub struct Cause {
    code: Option<String>,
    text: String,
}

impl Cause {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refusal) => {
                Self { code: refusal.code().map(|code| code.into_owned()), text: refusal.message().to_owned() }
            }
            // Both may quote what they could not read, an address or a value.
            sqlx::Error::Configuration(_) => Self::said("the address or its options are not understood"),
            sqlx::Error::Encode(_) => Self::said("a value could not be encoded"),
            other => Self::said(other.to_string()),
        }
    }

    pub(crate) fn of_migration(error: &sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(error) => Self::of(error),
            MigrateError::ExecuteMigration(error, version) => {
                let Self { code, text } = Self::of(error);
                Self { code, text: format!("migration {version}: {text}") }
            }
            other => Self::said(other.to_string()),
        }
    }

    pub(crate) fn said(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} (code {code})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Cause {}
