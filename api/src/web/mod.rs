//! What the routes of all services share. Nothing here knows a resource.

pub mod address;
pub mod body;
pub mod caller;
pub mod json;
pub mod path;
pub mod peer;
pub mod query;
pub mod request_id;
pub mod routes;
pub mod validation;
