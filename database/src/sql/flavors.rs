//! Flavors.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::ids::ProjectId;
use sqlx::QueryBuilder;

use super::page::{self, Key};
use super::row::Columns;
use super::{Attempt, Handle, Query, Row, attempt, bind, changed};
use crate::Result;
use crate::flavors::{FlavorQuery, Flavors, Inserted};
use crate::instances::SortDirection;

const TABLE: &str = "flavors";

type Specs = BTreeMap<String, String>;

macro_rules! flavor_columns {
    () => {
        "id, name, description, vcpus, ram_mib, disk_gib, ephemeral_gib, swap_mib, is_public, is_disabled, extra_specs"
    };
}

const ORDER: [Key; 2] = [
    Key { expression: "ram_mib", direction: SortDirection::Ascending },
    Key { expression: "id", direction: SortDirection::Ascending },
];

#[async_trait]
impl Flavors for Handle {
    async fn insert_flavor(&self, flavor: &Flavor) -> Result<Inserted> {
        const SAME: &str = "SELECT id FROM flavors WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM flavors WHERE name = $1";
        attempt("insert a flavor", || async move {
            let same = (SAME, flavor.id.to_string());
            self.insert_unique(insert(flavor)?, same, (SAME_NAME, flavor.name.clone())).await
        })
        .await
    }

    async fn get_flavor(&self, id: &FlavorId) -> Result<Option<Flavor>> {
        const GET: &str = concat!("SELECT ", flavor_columns!(), " FROM flavors WHERE id = $1");
        attempt("get a flavor", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn list_flavors(&self, query: &FlavorQuery) -> Result<Vec<Flavor>> {
        attempt("list flavors", || async move {
            let mut sql = QueryBuilder::new(concat!("SELECT ", flavor_columns!(), " FROM flavors WHERE 1 = 1"));
            if let Some(is_public) = query.is_public {
                sql.push(" AND (is_public = ").push_bind(i64::from(is_public));
                if let Some(project) = query.project.filter(|_| is_public) {
                    sql.push(" OR EXISTS (SELECT 1 FROM flavor_access WHERE flavor_id = flavors.id AND project_id = ");
                    sql.push_bind(project.to_string()).push(")");
                }
                sql.push(")");
            }
            if let Some(ram) = query.min_ram_mib {
                sql.push(" AND ram_mib >= ").push_bind(bind::limit(ram));
            }
            if let Some(disk) = query.min_disk_gib {
                sql.push(" AND disk_gib >= ").push_bind(bind::limit(disk));
            }
            if let Some(marker) = &query.marker {
                page::push_after(&mut sql, TABLE, &ORDER, &marker.0);
            }
            page::push_order(&mut sql, &ORDER, query.limit);
            let rows = sql.build().fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn change_extra_specs(&self, id: &FlavorId, set: &Specs, remove: Option<&str>) -> Result<Option<Specs>> {
        // Written as it is: that locks the row.
        const LOCK: &str = "UPDATE flavors SET extra_specs = extra_specs WHERE id = $1 RETURNING id, extra_specs";
        const WRITE: &str = "UPDATE flavors SET extra_specs = $2 WHERE id = $1";
        attempt("change a flavor's extra specs", || async move {
            let mut tx = self.begin().await?;
            let Some(row) = sqlx::query(LOCK).bind(id.to_string()).fetch_optional(tx.connection()).await? else {
                return Ok(None);
            };
            let mut specs: Specs = Columns::new(TABLE, "id", &row).json("extra_specs")?;
            specs.extend(set.clone());
            if let Some(key) = remove {
                specs.remove(key);
            }
            let write = sqlx::query(WRITE).bind(id.to_string()).bind(bind::json(TABLE, "extra_specs", &specs)?);
            write.execute(tx.connection()).await?;
            tx.commit().await?;
            Ok(Some(specs))
        })
        .await
    }

    async fn set_flavor_description(&self, id: &FlavorId, description: Option<&str>) -> Result<bool> {
        const SET: &str = "UPDATE flavors SET description = $2 WHERE id = $1";
        attempt("describe a flavor", || async move {
            changed(sqlx::query(SET).bind(id.to_string()).bind(description.map(str::to_owned)), self.writer()).await
        })
        .await
    }

    async fn list_flavor_access(&self, id: &FlavorId) -> Result<Vec<ProjectId>> {
        const LIST: &str = "SELECT flavor_id, project_id FROM flavor_access WHERE flavor_id = $1 ORDER BY project_id";
        attempt("list who may use a flavor", || async move {
            let rows = sqlx::query(LIST).bind(id.to_string()).fetch_all(self.reader()).await?;
            rows.iter().map(|row| Columns::new("flavor_access", "flavor_id", row).parsed("project_id")).collect()
        })
        .await
    }

    async fn has_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool> {
        const FIND: &str = "SELECT flavor_id FROM flavor_access WHERE flavor_id = $1 AND project_id = $2";
        attempt("ask who may use a flavor", || async move {
            let query = sqlx::query(FIND).bind(id.to_string()).bind(project.to_string());
            Ok(query.fetch_optional(self.reader()).await?.is_some())
        })
        .await
    }

    async fn add_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool> {
        const ADD: &str = "INSERT INTO flavor_access (flavor_id, project_id) SELECT id, $2 FROM flavors WHERE id = $1 \
             ON CONFLICT (flavor_id, project_id) DO NOTHING";
        attempt("let a project use a flavor", || async move {
            changed(sqlx::query(ADD).bind(id.to_string()).bind(project.to_string()), self.writer()).await
        })
        .await
    }

    async fn remove_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool> {
        const REMOVE: &str = "DELETE FROM flavor_access WHERE flavor_id = $1 AND project_id = $2";
        attempt("keep a project from using a flavor", || async move {
            changed(sqlx::query(REMOVE).bind(id.to_string()).bind(project.to_string()), self.writer()).await
        })
        .await
    }

    async fn delete_flavor(&self, id: &FlavorId) -> Result<bool> {
        const DELETE: &str = "DELETE FROM flavors WHERE id = $1";
        attempt("delete a flavor", || async move { changed(sqlx::query(DELETE).bind(id.to_string()), self.writer()).await }).await
    }
}

impl Handle {
    /// Inserts what must have an id and a name of its own; when it has not, the two queries (each with
    /// its value) find the other by id and by name.
    pub(super) async fn insert_unique(
        &self,
        insert: Query<'_>,
        by_id: (&'static str, String),
        by_name: (&'static str, String),
    ) -> Attempt<Inserted> {
        let failure = match insert.execute(self.writer()).await.map_err(super::Failure::from) {
            Ok(_) => return Ok(Inserted::Inserted),
            Err(failure) if failure.is_duplicate() => failure,
            Err(failure) => return Err(failure),
        };
        for ((query, value), found) in [(by_id, Inserted::SameId), (by_name, Inserted::SameName)] {
            if sqlx::query(query).bind(value).fetch_optional(self.reader()).await?.is_some() {
                return Ok(found);
            }
        }
        // Something else of it must be unique too.
        Err(failure)
    }
}

fn insert(flavor: &Flavor) -> Attempt<Query<'static>> {
    const INSERT: &str =
        concat!("INSERT INTO flavors (", flavor_columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    let integer = |column, value| bind::integer(TABLE, column, value);
    Ok(sqlx::query(INSERT)
        .bind(flavor.id.to_string())
        .bind(flavor.name.clone())
        .bind(flavor.description.clone())
        .bind(i64::from(flavor.vcpus))
        .bind(integer("ram_mib", flavor.ram_mib)?)
        .bind(integer("disk_gib", flavor.disk_gib)?)
        .bind(integer("ephemeral_gib", flavor.ephemeral_gib)?)
        .bind(integer("swap_mib", flavor.swap_mib)?)
        .bind(i64::from(flavor.is_public))
        .bind(i64::from(flavor.is_disabled))
        .bind(bind::json(TABLE, "extra_specs", &flavor.extra_specs)?))
}

fn read(row: &Row) -> Attempt<Flavor> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(Flavor {
        id: FlavorId(columns.string("id")?),
        name: columns.string("name")?,
        description: columns.maybe("description", Columns::string)?,
        vcpus: columns.number("vcpus")?,
        ram_mib: columns.number("ram_mib")?,
        disk_gib: columns.number("disk_gib")?,
        ephemeral_gib: columns.number("ephemeral_gib")?,
        swap_mib: columns.number("swap_mib")?,
        is_public: columns.flag("is_public")?,
        is_disabled: columns.flag("is_disabled")?,
        extra_specs: columns.json("extra_specs")?,
    })
}
