//! Projects are made, changed and removed by administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::{Inserted, ProjectChange, ProjectDeleted, Updated};
use cuttle_model::identity::Project;
use cuttle_model::ids::ProjectId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{projects, schema};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::path::PathId;

/// `POST /v3/projects`.
pub async fn create(
    State(shared): State<Shared>,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    schema::CREATE_PROJECT.check_plain(&body)?;
    let fields = &body["project"];
    let project = Project {
        id: ProjectId::new(shared.ids.as_ref()),
        name: fields["name"].as_str().unwrap_or_default().to_owned(),
        description: fields["description"].as_str().unwrap_or_default().to_owned(),
        enabled: fields["enabled"].as_bool().unwrap_or(true),
    };
    match shared.database.insert_project(&project).await? {
        Inserted::Inserted => Ok((StatusCode::CREATED, Json(json!({ "project": projects::view(&project, &address) })))),
        Inserted::SameId | Inserted::SameName => Err(duplicate(&project.name)),
    }
}

/// `PATCH /v3/projects/{id}`.
pub async fn update(
    State(shared): State<Shared>,
    address: Address,
    PathId(id): PathId<ProjectId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE_PROJECT.check_plain(&body)?;
    let fields = &body["project"];
    let change = ProjectChange {
        name: fields["name"].as_str().map(str::to_owned),
        description: fields.get("description").map(|text| text.as_str().unwrap_or_default().to_owned()),
        enabled: fields["enabled"].as_bool(),
    };
    let updated = shared.database.update_project(id, &change).await?;
    shared.tokens().forget_project(id);
    match updated {
        Updated::Done(project) => Ok(Json(json!({ "project": projects::view(&project, &address) }))),
        Updated::Missing => Err(projects::missing(id)),
        Updated::SameName => Err(duplicate(change.name.as_deref().unwrap_or_default())),
    }
}

/// `DELETE /v3/projects/{id}`. Unlike Keystone's, a project that owns something is kept: nobody could
/// reach its instances and images any more.
pub async fn delete(State(shared): State<Shared>, PathId(id): PathId<ProjectId>) -> Result<StatusCode, ApiError> {
    let deleted = shared.database.delete_project(id).await?;
    shared.tokens().forget_project(id);
    match deleted {
        ProjectDeleted::Done => Ok(StatusCode::NO_CONTENT),
        ProjectDeleted::Missing => Err(projects::missing(id)),
        ProjectDeleted::InUse { instances, images } => Err(ApiError::Conflict(format!(
            "Project {id} cannot be deleted: it owns {instances} instances and {images} images. Delete those first."
        ))),
    }
}

fn duplicate(name: &str) -> ApiError {
    ApiError::Conflict(format!(
        "Conflict occurred attempting to store project - it is not permitted to have two projects with the same name: {name}."
    ))
}
