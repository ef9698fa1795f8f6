//! The whole suite on SQLite, in a file of its own for each test.
#![allow(clippy::unwrap_used)]

#[path = "support/sqlite.rs"]
mod lab;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/statements.rs"]
mod statements;
#[path = "support/strategies.rs"]
mod strategies;
mod suite;
