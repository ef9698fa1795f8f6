//! `POST /placement/try`: where an instance would go; and `GET /placement/free`: whether the loss of any
//! one host could be absorbed. Neither changes anything.

use axum::Json;
use axum::extract::State;
use cuttle_model::flavor::FlavorId;
use cuttle_model::ids::{ImageId, InstanceId, ServerGroupId};
use cuttle_model::placement::Reasons;
use cuttle_operations::placement::{Ask, Membership, free};
use cuttle_operations::scheduler::Target;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::shared::Controlled;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};
use crate::web::validation::Schema;

pub fn routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Operator, "/v1").post("/placement/try", Access::Admin, try_out).takes(&TRY).get(
        "/placement/free",
        Access::Admin,
        free,
    )
}

/// `POST /placement/try`.
static TRY: Schema = Schema::new(
    |_| {
        let text = json!({"type": "string", "minLength": 1, "maxLength": 255});
        let id = json!({"type": "string", "format": "id"});
        let fields = json!({"flavor": text, "image_id": id, "project_id": id, "zone": text, "host": text, "group_id": id});
        json!({"type": "object", "properties": fields, "required": ["flavor"], "additionalProperties": false})
    },
    &[],
);

async fn try_out(State(state): State<Controlled>, caller: Caller, JsonBody(body): JsonBody) -> Result<Json<Value>, ApiError> {
    TRY.check_plain(&body)?;
    let database = &state.shared.database;
    let name = body["flavor"].as_str().unwrap_or_default();
    let flavor = database.get_flavor(&FlavorId(name.to_owned())).await?;
    let flavor = flavor.ok_or_else(|| ApiError::invalid("flavor", name, "Flavor could not be found."))?;
    let image = match parsed::<ImageId>(&body, "image_id")? {
        None => None,
        Some(id) => {
            let found = database.get_image(id).await?;
            Some(found.ok_or_else(|| ApiError::invalid("image_id", id, "Image could not be found."))?)
        }
    };
    let target = match body["host"].as_str() {
        None => Target::Any,
        Some(name) => {
            let missing = || ApiError::invalid("host", name, "There is no such host.");
            let host = database.find_host(&name.parse().map_err(|_| missing())?).await?.ok_or_else(missing)?;
            Target::Asked(host.id)
        }
    };
    let project_id = match parsed(&body, "project_id")? {
        Some(project) => project,
        None => caller.project_id()?,
    };
    let bytes = image.as_ref().and_then(|image| image.virtual_size_bytes).unwrap_or(0);
    let extra: u64 = flavor.extra_disks().iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
    let reads_image = image.is_some();
    let properties = image.map(|image| image.properties).unwrap_or_default();
    let ask = Ask {
        instance_id: InstanceId::new(state.shared.ids.as_ref()),
        project_id,
        flavor: &flavor,
        disk_bytes: flavor.root_disk_bytes(bytes).unwrap_or(bytes).saturating_add(extra),
        reads_image,
        image_properties: &properties,
        zone: body["zone"].as_str(),
        target,
        excluded: &[],
        group: Membership::New(parsed::<ServerGroupId>(&body, "group_id")?),
        same_host: None,
        different_host: &[],
    };
    let shown = match free::try_out(&state.control, &ask).await? {
        Ok(placed) => json!({ "host": placed.host, "refusal": null, "reasons": reasons(&placed.reasons) }),
        Err(refusal) => json!({ "host": null, "refusal": refusal.text, "reasons": refusal.reasons.as_deref().map(reasons) }),
    };
    Ok(Json(json!({ "placement": shown })))
}

fn parsed<T: std::str::FromStr>(body: &Value, field: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = body[field].as_str() else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::invalid(field, text, "A UUID is expected."))
}

async fn free(State(state): State<Controlled>, query: Pairs) -> Result<Json<Value>, ApiError> {
    query.refuse_unknown(&[])?;
    let losses = free::losses(&state.control).await?;
    let rows: Vec<Value> = losses
        .iter()
        .map(|loss| {
            let stuck: Vec<Value> =
                loss.stuck.iter().map(|(id, reason)| json!({ "instance_id": id, "reason": reason })).collect();
            json!({ "host": loss.host, "instances": loss.moved + loss.stuck.len(), "moved": loss.moved, "stuck": stuck })
        })
        .collect();
    let can = losses.iter().all(|loss| loss.stuck.is_empty());
    Ok(Json(json!({ "free": { "any_host_can_be_lost": can, "losses": rows } })))
}

/// Reasons as they are shown everywhere.
pub fn reasons(reasons: &Reasons) -> Value {
    let nearest: Vec<String> = reasons.nearest.iter().map(|near| near.reason()).collect();
    json!({
        "hosts": reasons.hosts,
        "left": reasons.left,
        "chosen": reasons.chosen,
        "filters": reasons.filters,
        "nearest": nearest,
        "top": reasons.top,
    })
}
