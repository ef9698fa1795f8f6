//! User data.

use std::collections::HashMap;

use async_trait::async_trait;
use cuttle_model::ids::InstanceId;
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, page};
use crate::Result;
use crate::user_data::UserData;

#[async_trait]
impl UserData for Handle {
    async fn get_user_data(&self, instance: InstanceId) -> Result<Option<String>> {
        const GET: &str = "SELECT instance_id, user_data FROM user_data WHERE instance_id = $1";
        attempt("get an instance's user data", || async move {
            let row = sqlx::query(GET).bind(instance.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(|row| columns(row).string("user_data")).transpose()
        })
        .await
    }

    async fn list_user_data(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, String>> {
        attempt("list instances' user data", || async move {
            let mut sql = QueryBuilder::<super::Db>::new("SELECT instance_id, user_data FROM user_data WHERE 1 = 1");
            page::push_among_ids(&mut sql, "instance_id", instances.iter().map(|id| id.to_string()));
            let rows = sql.build().fetch_all(self.reader()).await?;
            rows.iter().map(|row| Ok((columns(row).parsed("instance_id")?, columns(row).string("user_data")?))).collect()
        })
        .await
    }

    async fn delete_user_data(&self, instance: InstanceId) -> Result<()> {
        attempt("delete an instance's user data", || async move {
            let query = sqlx::query("DELETE FROM user_data WHERE instance_id = $1").bind(instance.to_string());
            query.execute(self.writer()).await?;
            Ok(())
        })
        .await
    }
}

fn columns(row: &Row) -> Columns<'_> {
    Columns::new("user_data", "instance_id", row)
}

/// Writes it, in the transaction in which the instance is born.
pub(super) async fn insert(tx: &mut Tx, instance: InstanceId, user_data: &str) -> Attempt<()> {
    const INSERT: &str = "INSERT INTO user_data (instance_id, user_data) VALUES ($1, $2)";
    sqlx::query(INSERT).bind(instance.to_string()).bind(user_data.to_owned()).execute(tx.connection()).await?;
    Ok(())
}
