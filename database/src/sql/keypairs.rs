//! Keypairs.

use async_trait::async_trait;
use cuttle_model::ids::UserId;
use cuttle_model::keypair::{Keypair, KeypairKind, PublicKey};
use cuttle_model::quota::{Resource, excess};
use sqlx::{QueryBuilder, Row as _};

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, changed, quotas};
use crate::Result;
use crate::keypairs::{KeypairInsertion, Keypairs};
use crate::quotas::QuotaScope;

const TABLE: &str = "keypairs";
const COUNT: &str = "SELECT COUNT(*) AS taken FROM keypairs WHERE user_id = $1";

macro_rules! keypair_columns {
    () => {
        "id, user_id, name, kind, public_key, fingerprint, created_at"
    };
}

#[async_trait]
impl Keypairs for Handle {
    async fn insert_keypair(&self, keypair: &Keypair, quota: &QuotaScope) -> Result<KeypairInsertion> {
        attempt("insert a keypair", || self.insert_keypair_once(keypair, quota)).await
    }

    async fn get_keypair(&self, user: UserId, name: &str) -> Result<Option<(i64, Keypair)>> {
        const GET: &str = concat!("SELECT ", keypair_columns!(), " FROM keypairs WHERE user_id = $1 AND name = $2");
        attempt("get a keypair", || async move {
            let row = sqlx::query(GET).bind(user.to_string()).bind(name.to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(|row| Ok((Columns::new(TABLE, "name", row).integer("id")?, read(row)?))).transpose()
        })
        .await
    }

    async fn list_keypairs(&self, user: UserId, marker: Option<&str>, limit: Option<u32>) -> Result<Vec<Keypair>> {
        attempt("list keypairs", || async move {
            let mut sql = QueryBuilder::new(concat!("SELECT ", keypair_columns!(), " FROM keypairs WHERE user_id = "));
            sql.push_bind(user.to_string());
            if let Some(marker) = marker {
                sql.push(" AND name > ").push_bind(marker.to_owned());
            }
            sql.push(" ORDER BY name");
            if let Some(limit) = limit {
                sql.push(" LIMIT ").push_bind(i64::from(limit));
            }
            let rows = sql.build().fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn count_keypairs(&self, user: UserId) -> Result<i64> {
        attempt("count keypairs", || async move {
            Ok(sqlx::query(COUNT).bind(user.to_string()).fetch_one(self.reader()).await?.try_get("taken")?)
        })
        .await
    }

    async fn delete_keypair(&self, user: UserId, name: &str) -> Result<bool> {
        const DELETE: &str = "DELETE FROM keypairs WHERE user_id = $1 AND name = $2";
        attempt("delete a keypair", || async move {
            changed(sqlx::query(DELETE).bind(user.to_string()).bind(name.to_owned()), self.writer()).await
        })
        .await
    }
}

impl Handle {
    async fn insert_keypair_once(&self, keypair: &Keypair, quota: &QuotaScope) -> Attempt<KeypairInsertion> {
        const INSERT: &str = "INSERT INTO keypairs (user_id, name, kind, public_key, fingerprint, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, name) DO NOTHING";
        let mut tx = self.begin().await?;
        let user = keypair.user_id.to_string();
        quotas::lock(&mut tx, format!("user {user}")).await?;
        let limit = quotas::limits(tx.connection(), quota).await?.of_user(Resource::KeyPairs);
        let taken: i64 = sqlx::query(COUNT).bind(user.clone()).fetch_one(tx.connection()).await?.try_get("taken")?;
        if excess(Resource::KeyPairs, 1, taken, limit).is_some() {
            return Ok(KeypairInsertion::OverQuota);
        }
        let insert = sqlx::query(INSERT)
            .bind(user)
            .bind(keypair.name.clone())
            .bind(keypair.public_key.kind.as_str())
            .bind(keypair.public_key.text.clone())
            .bind(keypair.fingerprint.clone())
            .bind(keypair.created_at.as_micros());
        if !changed(insert, tx.connection()).await? {
            return Ok(KeypairInsertion::SameName);
        }
        tx.commit().await?;
        Ok(KeypairInsertion::Inserted)
    }
}

fn read(row: &Row) -> Attempt<Keypair> {
    let columns = Columns::new(TABLE, "name", row);
    Ok(Keypair {
        user_id: columns.parsed("user_id")?,
        name: columns.string("name")?,
        public_key: PublicKey { kind: columns.word("kind", KeypairKind::from_word)?, text: columns.string("public_key")? },
        fingerprint: columns.string("fingerprint")?,
        created_at: columns.time("created_at")?,
    })
}
