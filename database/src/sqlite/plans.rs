//! How SQLite carries out the lists that users ask for: by an index, and without sorting where the
//! order is the usual one.

use sqlx::{AssertSqlSafe, Row as _};

use super::sql::lists::{self, Listing};
use crate::connect::Options;
use crate::migration::Schema;

#[tokio::test]
async fn the_lists_of_a_project_are_read_from_an_index_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plans.db");
    let database = super::open(path.to_str().unwrap(), &Options::default()).await.unwrap();
    database.migrate().await.unwrap();
    for Listing { name, statement } in lists::usual() {
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let rows = rows.fetch_all(&database.readers).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH") && step.contains("INDEX")), "{name}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE")), "{name}: {plan:?}");
    }
}
