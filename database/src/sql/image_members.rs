//! Whom images are shared with.

use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{ImageMember, MemberStatus};

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, changed};
use crate::Result;
use crate::flavors::Inserted;

const TABLE: &str = "image_members";

pub(super) async fn insert(handle: &Handle, member: &ImageMember) -> Result<Inserted> {
    const INSERT: &str = "INSERT INTO image_members (image_id, project_id, status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (image_id, project_id) DO NOTHING";
    attempt("share an image", || async move {
        let query = sqlx::query(INSERT)
            .bind(member.image_id.to_string())
            .bind(member.project_id.to_string())
            .bind(member.status.as_str())
            .bind(member.created_at.as_micros())
            .bind(member.updated_at.as_micros());
        match changed(query, handle.writer()).await? {
            true => Ok(Inserted::Inserted),
            false => Ok(Inserted::SameId),
        }
    })
    .await
}

pub(super) async fn list(handle: &Handle, image: ImageId) -> Result<Vec<ImageMember>> {
    const LIST: &str = "SELECT image_id, project_id, status, created_at, updated_at FROM image_members WHERE image_id = $1 \
         ORDER BY created_at, project_id";
    attempt("list an image's members", || async move {
        let rows = sqlx::query(LIST).bind(image.to_string()).fetch_all(handle.reader()).await?;
        rows.iter().map(read).collect()
    })
    .await
}

pub(super) async fn get(handle: &Handle, image: ImageId, project: ProjectId) -> Result<Option<ImageMember>> {
    const GET: &str = "SELECT image_id, project_id, status, created_at, updated_at FROM image_members \
         WHERE image_id = $1 AND project_id = $2";
    attempt("get an image's member", || async move {
        let query = sqlx::query(GET).bind(image.to_string()).bind(project.to_string());
        query.fetch_optional(handle.reader()).await?.as_ref().map(read).transpose()
    })
    .await
}

pub(super) async fn update(handle: &Handle, member: &ImageMember) -> Result<bool> {
    const UPDATE: &str = "UPDATE image_members SET status = $3, updated_at = $4 WHERE image_id = $1 AND project_id = $2";
    attempt("update an image's member", || async move {
        let query = sqlx::query(UPDATE)
            .bind(member.image_id.to_string())
            .bind(member.project_id.to_string())
            .bind(member.status.as_str())
            .bind(member.updated_at.as_micros());
        changed(query, handle.writer()).await
    })
    .await
}

pub(super) async fn delete(handle: &Handle, image: ImageId, project: ProjectId) -> Result<bool> {
    const DELETE: &str = "DELETE FROM image_members WHERE image_id = $1 AND project_id = $2";
    attempt("end an image's sharing", || async move {
        changed(sqlx::query(DELETE).bind(image.to_string()).bind(project.to_string()), handle.writer()).await
    })
    .await
}

fn read(row: &Row) -> Attempt<ImageMember> {
    let columns = Columns::new(TABLE, "image_id", row);
    Ok(ImageMember {
        image_id: columns.parsed("image_id")?,
        project_id: columns.parsed("project_id")?,
        status: columns.word("status", MemberStatus::from_word)?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
    })
}
