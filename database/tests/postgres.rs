//! The whole suite on PostgreSQL, in a database of its own for each test. Needs a server: see `lab`.
#![allow(clippy::unwrap_used)]

#[path = "support/postgres.rs"]
mod lab;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/statements.rs"]
mod statements;
#[path = "support/strategies.rs"]
mod strategies;
mod suite;
