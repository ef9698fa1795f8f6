//! Everything that Cuttle says over HTTP: the OpenStack APIs on the public listener, the agents'
//! routes on their own.
//!
//! ```text
//! web/        what every route shares: shapes of errors, tokens, bodies, queries, the route table
//! identity/   /identity/v3    image/   /image/v2    compute/   /compute/v2.1
//! operator/   /operator/v1: what OpenStack has no API for
//! agents/     the hosts' agents: joining, certificates, a stream of commands
//! init/       what `cuttle-api init` prepares    doctor/  what is wrong, and what to do
//! ```
//!
//! Always true:
//! - A route is declared with who may use it ([`web::routes`]); the check runs before its handler.
//! - Nothing that a client sends is answered by a 5xx or a panic; a refusal names the field.
//! - Another project's things do not exist for a caller: 404.
//! - What cannot be honoured yet is refused by name, never ignored.
//!
//! It decides nothing about instances, images or hosts: that is `cuttle-operations`.

pub mod agents;
pub mod authority;
pub mod compute;
pub mod config;
pub mod doctor;
pub mod error;
pub mod hosts;
pub mod identity;
pub mod image;
pub mod init;
pub mod listener;
pub mod logging;
pub mod observability;
pub mod openapi;
pub mod operator;
pub mod public;
pub mod serve;
pub mod shared;
pub mod web;

#[cfg(test)]
mod tests;
