//! `PUT /servers/{id}`: its names, its description, the addresses that its owner notes.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::InstanceId;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::servers::{change, schema, view::Viewer};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(id): PathId<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE.check(version, &body)?;
    let fields = &body["server"];
    if fields["OS-DCF:diskConfig"] == "AUTO" {
        return Err(ApiError::not_yet("OS-DCF:diskConfig", "AUTO"));
    }
    let text = |field: &str| fields[field].as_str().map(str::to_owned);
    let instance = change::change(&shared, &caller, id, |instance| {
        if let Some(name) = text("name") {
            instance.name = name;
        }
        if fields.get("description").is_some() {
            instance.description = text("description");
        }
        if let Some(hostname) = text("hostname") {
            instance.hostname = hostname;
        }
        if let Some(address) = text("accessIPv4") {
            instance.access_ipv4 = address.parse().ok();
        }
        if let Some(address) = text("accessIPv6") {
            instance.access_ipv6 = address.parse().ok();
        }
        Ok(())
    })
    .await?;
    let viewer = Viewer::new(&shared, &caller, version, address, std::slice::from_ref(&instance)).await?;
    Ok(Json(json!({ "server": viewer.changed(&instance) })))
}
