//! `/v2/images/{id}/members`: the projects that an image was shared with. Its owner says who; each of them says whether its
//! lists show the image.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cuttle_database::Inserted;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageMember, MemberStatus, Visibility};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::image::images::{self, tags::image_id};
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::validation::{Schema, shown};

/// The most projects that an image is shared with: Glance's quota.
const MOST: usize = 128;

/// `POST /images/{id}/members`.
pub static CREATE: Schema = Schema::new(
    |_| json!({"type": "object", "properties": {"member": {"type": "string", "maxLength": 255}}, "required": ["member"]}),
    &[],
);
/// `PUT /images/{id}/members/{member}`.
pub static UPDATE: Schema = Schema::new(
    |_| {
        let statuses = MemberStatus::ALL.map(MemberStatus::as_str);
        json!({"type": "object", "properties": {"status": {"type": "string", "enum": statuses}}, "required": ["status"]})
    },
    &[],
);

pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    CREATE.check_plain(&body)?;
    let text = body["member"].as_str().unwrap_or("");
    let project_id: ProjectId =
        text.parse().map_err(|_| ApiError::invalid("member", shown(&body["member"]), "It is no project's id."))?;
    let image = shared_image(&shared, &caller, id).await?;
    if shared.database.list_image_members(id).await?.len() >= MOST {
        return Err(ApiError::Forbidden(format!("At most {MOST} members are allowed.")));
    }
    let now = shared.now();
    let member = ImageMember { image_id: image.id, project_id, status: MemberStatus::Pending, created_at: now, updated_at: now };
    match shared.database.insert_image_member(&member).await? {
        Inserted::Inserted => Ok(Json(view(&member))),
        Inserted::SameId | Inserted::SameName => {
            Err(ApiError::Conflict(format!("Image member {project_id} is a member of image {id} already.")))
        }
    }
}

/// The owner sees all of them, a member itself.
pub async fn list(State(shared): State<Shared>, caller: Caller, PathId(id): PathId<ImageId>) -> Result<Json<Value>, ApiError> {
    let image = images::get(&shared, &caller, id).await?;
    if image.visibility != Visibility::Shared {
        return Err(ApiError::Forbidden("Only shared images have members.".into()));
    }
    let members = shared.database.list_image_members(id).await?;
    let seen = members.iter().filter(|member| sees(&caller, &image, member.project_id));
    Ok(Json(json!({ "members": seen.map(view).collect::<Vec<_>>(), "schema": "/v2/schemas/members" })))
}

pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let image = images::get(&shared, &caller, image_id(&id)?).await?;
    Ok(Json(view(&find(&shared, &caller, &image, &member).await?)))
}

/// A member's answer, which nobody gives for it but an administrator.
pub async fn update(
    State(shared): State<Shared>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    UPDATE.check_plain(&body)?;
    let status = body["status"].as_str().and_then(MemberStatus::from_word).unwrap_or(MemberStatus::Pending);
    let image = images::get(&shared, &caller, image_id(&id)?).await?;
    let present = find(&shared, &caller, &image, &member).await?;
    if !caller.may_see(present.project_id) {
        return Err(ApiError::Forbidden("Only the member itself says whether it accepts an image.".into()));
    }
    let changed = ImageMember { status, updated_at: shared.now(), ..present };
    match shared.database.update_image_member(&changed).await? {
        true => Ok(Json(view(&changed))),
        false => Err(missing(&member)),
    }
}

pub async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let image = shared_image(&shared, &caller, image_id(&id)?).await?;
    let project: ProjectId = member.parse().map_err(|_| missing(&member))?;
    match shared.database.delete_image_member(image.id, project).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(missing(&member)),
    }
}

/// The image, if the caller may share it.
async fn shared_image(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Image, ApiError> {
    let image = images::get_own(shared, caller, id).await?;
    match image.visibility {
        Visibility::Shared => Ok(image),
        _ => Err(ApiError::Forbidden("Only shared images have members.".into())),
    }
}

async fn find(shared: &Shared, caller: &Caller, image: &Image, member: &str) -> Result<ImageMember, ApiError> {
    let project: ProjectId = member.parse().map_err(|_| missing(member))?;
    if !sees(caller, image, project) {
        return Err(missing(member));
    }
    shared.database.get_image_member(image.id, project).await?.ok_or_else(|| missing(member))
}

fn sees(caller: &Caller, image: &Image, member: ProjectId) -> bool {
    caller.may_see(image.project_id) || caller.may_see(member)
}

fn missing(member: &str) -> ApiError {
    let shown: String = member.chars().filter(|character| !character.is_control()).take(64).collect();
    ApiError::NotFound(format!("'{shown}' is no member of the image."))
}

fn view(member: &ImageMember) -> Value {
    json!({
        "image_id": member.image_id,
        "member_id": member.project_id,
        "status": member.status.as_str(),
        "created_at": member.created_at.to_seconds_z(),
        "updated_at": member.updated_at.to_seconds_z(),
        "schema": "/v2/schemas/member",
    })
}
