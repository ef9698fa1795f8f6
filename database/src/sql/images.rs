//! Images.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageMember, ImageStatus, Visibility};

use super::row::Columns;
use super::{Attempt, Failure, Handle, Query, Row, attempt, bind, changed, image_list, image_members, leases, subject};
use crate::Result;
use crate::flavors::Inserted;
use crate::images::{ImageQuery, Images};
use crate::operations::{LeaseGuard, Written};

const TABLE: &str = "images";

/// All columns, in the order in which they are bound.
macro_rules! image_columns {
    () => {
        "id, project_id, name, status, visibility, protected, disk_format, container_format, min_disk_gib, min_ram_mib, \
         size_bytes, virtual_size_bytes, checksum, sha512, tags, properties, created_at, updated_at, generation, hidden, failure"
    };
}
pub(super) use image_columns;

#[async_trait]
impl Images for Handle {
    async fn insert_image(&self, image: &Image) -> Result<Inserted> {
        const INSERT: &str = concat!(
            "INSERT INTO images (",
            image_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) \
             ON CONFLICT (id) DO NOTHING"
        );
        attempt("insert an image", || async move {
            match changed(bound(INSERT, image)?, self.writer()).await? {
                true => Ok(Inserted::Inserted),
                false => Ok(Inserted::SameId),
            }
        })
        .await
    }

    async fn get_image(&self, id: ImageId) -> Result<Option<Image>> {
        const GET: &str = concat!("SELECT ", image_columns!(), " FROM images WHERE id = $1 AND status <> 'deleted'");
        attempt("get an image", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn get_image_for(&self, id: ImageId, project: ProjectId) -> Result<Option<Image>> {
        const GET: &str = concat!(
            "SELECT ",
            image_columns!(),
            " FROM images WHERE id = $1 AND status <> 'deleted' AND (project_id = $2 OR visibility IN ('public', 'community') \
             OR (visibility = 'shared' AND EXISTS \
             (SELECT 1 FROM image_members WHERE image_members.image_id = images.id AND image_members.project_id = $2)))"
        );
        attempt("get an image", || async move {
            let query = sqlx::query(GET).bind(id.to_string()).bind(project.to_string());
            query.fetch_optional(self.reader()).await?.as_ref().map(read).transpose()
        })
        .await
    }

    async fn is_deleted_image(&self, id: ImageId) -> Result<bool> {
        const DELETED: &str = "SELECT id FROM images WHERE id = $1 AND status = 'deleted'";
        attempt("ask whether an image was deleted", || async move {
            Ok(sqlx::query(DELETED).bind(id.to_string()).fetch_optional(self.reader()).await?.is_some())
        })
        .await
    }

    async fn list_images(&self, query: &ImageQuery) -> Result<Vec<Image>> {
        attempt("list images", || async move {
            let rows = image_list::select(query)?.build().fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn update_image(&self, image: &Image, guard: Option<&LeaseGuard>) -> Result<Written> {
        attempt("update an image", || async move {
            let Some(guard) = guard else {
                return Ok(subject::written(changed(update(image)?, self.writer()).await?));
            };
            let mut tx = self.begin().await?;
            let updated = changed(update(image)?, tx.connection()).await?;
            leases::finish_guarded(tx, guard, updated).await
        })
        .await
    }

    async fn insert_image_member(&self, member: &ImageMember) -> Result<Inserted> {
        image_members::insert(self, member).await
    }

    async fn list_image_members(&self, image: ImageId) -> Result<Vec<ImageMember>> {
        image_members::list(self, image).await
    }

    async fn get_image_member(&self, image: ImageId, project: ProjectId) -> Result<Option<ImageMember>> {
        image_members::get(self, image, project).await
    }

    async fn update_image_member(&self, member: &ImageMember) -> Result<bool> {
        image_members::update(self, member).await
    }

    async fn delete_image_member(&self, image: ImageId, project: ProjectId) -> Result<bool> {
        image_members::delete(self, image, project).await
    }
}

/// Writes an image over the row that was read.
pub(super) fn update(image: &Image) -> Attempt<Query<'static>> {
    const UPDATE: &str = "UPDATE images SET project_id = $2, name = $3, status = $4, visibility = $5, protected = $6, \
         disk_format = $7, container_format = $8, min_disk_gib = $9, min_ram_mib = $10, size_bytes = $11, \
         virtual_size_bytes = $12, checksum = $13, sha512 = $14, tags = $15, properties = $16, created_at = $17, \
         updated_at = $18, hidden = $20, failure = $21, generation = generation + 1 WHERE id = $1 AND generation = $19";
    bound(UPDATE, image)
}

fn bound(statement: &'static str, image: &Image) -> Attempt<Query<'static>> {
    let size = |column, value: Option<u64>| value.map(|bytes| bind::integer(TABLE, column, bytes)).transpose();
    Ok(sqlx::query(statement)
        .bind(image.id.to_string())
        .bind(image.project_id.to_string())
        .bind(image.name.clone())
        .bind(image.status.as_str())
        .bind(image.visibility.as_str())
        .bind(i64::from(image.protected))
        .bind(image.disk_format.clone())
        .bind(image.container_format.clone())
        .bind(bind::integer(TABLE, "min_disk_gib", image.min_disk_gib)?)
        .bind(bind::integer(TABLE, "min_ram_mib", image.min_ram_mib)?)
        .bind(size("size_bytes", image.size_bytes)?)
        .bind(size("virtual_size_bytes", image.virtual_size_bytes)?)
        .bind(image.checksum.clone())
        .bind(image.sha512.clone())
        .bind(tags(&image.tags)?)
        .bind(properties(&image.properties)?)
        .bind(image.created_at.as_micros())
        .bind(image.updated_at.as_micros())
        .bind(image.generation)
        .bind(i64::from(image.hidden))
        .bind(image.failure.clone()))
}

/// Tags as a JSON array with each of them on a line of its own. JSON writes a line's end inside a
/// text as `\n`, so a tag is found by [`tag_line`] and nothing else is.
fn tags(tags: &[String]) -> Attempt<String> {
    let lines: Vec<String> = tags.iter().map(|tag| tag_line(tag)).collect::<Attempt<_>>()?;
    Ok(format!("[{}]", lines.join(",")))
}

/// What the column holds exactly where it holds this tag.
pub(super) fn tag_line(tag: &str) -> Attempt<String> {
    serde_json::to_string(tag).map(|text| format!("\n{text}\n")).map_err(|_| Failure::BadValue { table: TABLE, column: "tags" })
}

/// Properties as a JSON object, each on a line of its own like tags.
fn properties(properties: &BTreeMap<String, String>) -> Attempt<String> {
    let lines: Vec<String> = properties.iter().map(|(key, value)| property_line(key, value)).collect::<Attempt<_>>()?;
    Ok(format!("{{{}}}", lines.join(",")))
}

/// What the column holds exactly where it holds this property with this value.
pub(super) fn property_line(key: &str, value: &str) -> Attempt<String> {
    let text = |text: &str| serde_json::to_string(text).map_err(|_| Failure::BadValue { table: TABLE, column: "properties" });
    Ok(format!("\n{}:{}\n", text(key)?, text(value)?))
}

pub(super) fn read(row: &Row) -> Attempt<Image> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(Image {
        id: columns.parsed("id")?,
        project_id: columns.parsed("project_id")?,
        name: columns.maybe("name", Columns::string)?,
        status: columns.word("status", ImageStatus::from_word)?,
        visibility: columns.word("visibility", Visibility::from_word)?,
        protected: columns.flag("protected")?,
        disk_format: columns.maybe("disk_format", Columns::string)?,
        container_format: columns.maybe("container_format", Columns::string)?,
        min_disk_gib: columns.number("min_disk_gib")?,
        min_ram_mib: columns.number("min_ram_mib")?,
        size_bytes: columns.maybe("size_bytes", Columns::number)?,
        virtual_size_bytes: columns.maybe("virtual_size_bytes", Columns::number)?,
        checksum: columns.maybe("checksum", Columns::string)?,
        sha512: columns.maybe("sha512", Columns::string)?,
        hidden: columns.flag("hidden")?,
        failure: columns.maybe("failure", Columns::string)?,
        tags: columns.json("tags")?,
        properties: columns.json("properties")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
        generation: columns.integer("generation")?,
    })
}
