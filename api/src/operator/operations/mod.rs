//! Operations of all projects: what is being done, what was, and step by step how.

mod cancel;
mod list;
mod show;
mod stream;
pub mod view;
mod watch;

use cuttle_model::ids::OperationId;
use serde_json::Value;

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/operations", Access::Admin, list::handle)
        .get("/operations/watch", Access::Admin, watch::all)
        .get("/operations/{id}", Access::Admin, show::handle)
        .get("/operations/{id}/watch", Access::Admin, watch::one)
        .post("/operations/{id}/cancel", Access::Admin, cancel::handle)
}

/// An operation as it is shown with its steps, for what has begun it.
pub async fn shown(shared: &Shared, id: OperationId) -> Result<Value, ApiError> {
    let (operation, steps) = show::find(shared, id).await?.ok_or_else(|| show::missing(id))?;
    Ok(view::detail(&operation, &steps))
}
