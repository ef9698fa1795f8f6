//! Flavors.

use async_trait::async_trait;
use cuttle_model::flavor::{Flavor, FlavorId};
use sqlx::QueryBuilder;

use super::page::{self, Key};
use super::row::Columns;
use super::{Attempt, Handle, Query, Row, attempt, bind, changed};
use crate::Result;
use crate::flavors::{FlavorQuery, Flavors, Inserted};
use crate::instances::SortDirection;

const TABLE: &str = "flavors";

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
                sql.push(" AND is_public = ").push_bind(i64::from(is_public));
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
