//! The schema's versions, compiled in. A migration that was released is never changed: another one
//! is added to both folders, with the same number.

use async_trait::async_trait;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::Result;

/// The schema.
#[async_trait]
pub trait Schema {
    /// Brings the schema to this program's version. Safe when several nodes do it at once; refuses a
    /// schema that is newer.
    async fn migrate(&self) -> Result<()>;

    /// How the schema differs from what this program needs. Changes nothing.
    async fn schema_gap(&self) -> Result<SchemaGap>;
}

/// What lies between a schema and this program, by the numbers of migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaGap {
    /// Not carried out yet: [`Schema::migrate`] does it.
    pub missing: Vec<i64>,
    /// Of a newer program.
    pub unknown: Vec<i64>,
}

pub(crate) fn gap(scripts: &[Script], applied: &[i64]) -> SchemaGap {
    let known = || scripts.iter().map(|(number, _, _)| *number);
    SchemaGap {
        missing: known().filter(|number| !applied.contains(number)).collect(),
        unknown: applied.iter().copied().filter(|number| known().all(|known| known != *number)).collect(),
    }
}

/// Number, name and text.
type Script = (i64, &'static str, &'static str);

pub(crate) const SQLITE: &[Script] = &[
    (1, "initial", include_str!("../migrations/sqlite/0001_initial.sql")),
    (2, "control_nodes", include_str!("../migrations/sqlite/0002_control_nodes.sql")),
    (3, "join", include_str!("../migrations/sqlite/0003_join.sql")),
    (4, "images", include_str!("../migrations/sqlite/0004_images.sql")),
    (5, "guests", include_str!("../migrations/sqlite/0005_guests.sql")),
    (6, "compute", include_str!("../migrations/sqlite/0006_compute.sql")),
    (7, "identity", include_str!("../migrations/sqlite/0007_identity.sql")),
    (9, "placement", include_str!("../migrations/sqlite/0009_placement.sql")),
    (10, "moving", include_str!("../migrations/sqlite/0010_moving.sql")),
    (11, "migrations", include_str!("../migrations/sqlite/0011_migrations.sql")),
    (12, "host_storage", include_str!("../migrations/sqlite/0012_host_storage.sql")),
    (14, "open_clients", include_str!("../migrations/sqlite/0014_open_clients.sql")),
];
pub(crate) const POSTGRES: &[Script] = &[
    (1, "initial", include_str!("../migrations/postgres/0001_initial.sql")),
    (2, "control_nodes", include_str!("../migrations/postgres/0002_control_nodes.sql")),
    (3, "join", include_str!("../migrations/postgres/0003_join.sql")),
    (4, "images", include_str!("../migrations/postgres/0004_images.sql")),
    (5, "guests", include_str!("../migrations/postgres/0005_guests.sql")),
    (6, "compute", include_str!("../migrations/postgres/0006_compute.sql")),
    (7, "identity", include_str!("../migrations/postgres/0007_identity.sql")),
    (9, "placement", include_str!("../migrations/postgres/0009_placement.sql")),
    (10, "moving", include_str!("../migrations/postgres/0010_moving.sql")),
    (11, "migrations", include_str!("../migrations/postgres/0011_migrations.sql")),
    (12, "host_storage", include_str!("../migrations/postgres/0012_host_storage.sql")),
    (14, "open_clients", include_str!("../migrations/postgres/0014_open_clients.sql")),
];

pub(crate) fn migrator(scripts: &[Script]) -> Migrator {
    let migration = |(number, name, text): &Script| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, (*text).into_sql_str(), false)
    };
    Migrator::with_migrations(scripts.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_all_migrations_of_their_folders() {
        for (folder, scripts) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut found: Vec<String> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.ends_with(".sql"))
                .collect();
            found.sort();
            let listed: Vec<String> = scripts.iter().map(|(number, name, _)| format!("{number:04}_{name}.sql")).collect();
            assert_eq!(found, listed, "{folder}");
        }
        let numbers = |scripts: &[Script]| scripts.iter().map(|(number, name, _)| (*number, *name)).collect::<Vec<_>>();
        assert_eq!(numbers(SQLITE), numbers(POSTGRES));
    }
}
