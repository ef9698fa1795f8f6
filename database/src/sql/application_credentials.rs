//! Application credentials.

use async_trait::async_trait;
use cuttle_model::identity::{AnyRole, ApplicationCredential};
use cuttle_model::ids::{ApplicationCredentialId, ProjectId, UserId};

use super::row::Columns;
use super::{Attempt, Failure, Handle, Row, Tx, attempt, bind};
use crate::Result;
use crate::application_credentials::{ApplicationCredentials, CredentialInserted};
use crate::events::Event;

const TABLE: &str = "application_credentials";

macro_rules! columns {
    () => {
        "id, user_id, project_id, name, description, secret_hash, roles, expires_at, may_delegate, created_at"
    };
}

#[async_trait]
impl ApplicationCredentials for Handle {
    async fn insert_application_credential(
        &self,
        credential: &ApplicationCredential,
        secret_hash: &str,
    ) -> Result<CredentialInserted> {
        const INSERT: &str =
            concat!("INSERT INTO application_credentials (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        attempt("insert an application credential", || async move {
            let query = sqlx::query(INSERT)
                .bind(credential.id.to_string())
                .bind(credential.user_id.to_string())
                .bind(credential.project_id.to_string())
                .bind(credential.name.clone())
                .bind(credential.description.clone())
                .bind(secret_hash.to_owned())
                .bind(bind::json(TABLE, "roles", &credential.roles)?)
                .bind(credential.expires_at.map(|time| time.as_micros()))
                .bind(i64::from(credential.may_delegate))
                .bind(credential.created_at.as_micros());
            match query.execute(self.writer()).await.map_err(Failure::from) {
                Ok(_) => Ok(CredentialInserted::Inserted),
                Err(failure) if failure.is_duplicate() => Ok(CredentialInserted::SameName),
                Err(failure) if failure.is_dangling() => Ok(CredentialInserted::NoOwner),
                Err(failure) => Err(failure),
            }
        })
        .await
    }

    async fn get_application_credential(&self, id: ApplicationCredentialId) -> Result<Option<(ApplicationCredential, String)>> {
        const GET: &str = concat!("SELECT ", columns!(), " FROM application_credentials WHERE id = $1");
        attempt("get an application credential", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_with_hash).transpose()
        })
        .await
    }

    async fn find_application_credential(&self, user: UserId, name: &str) -> Result<Option<(ApplicationCredential, String)>> {
        const FIND: &str = concat!("SELECT ", columns!(), " FROM application_credentials WHERE user_id = $1 AND name = $2");
        attempt("find an application credential", || async move {
            let row = sqlx::query(FIND).bind(user.to_string()).bind(name.to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_with_hash).transpose()
        })
        .await
    }

    async fn list_application_credentials(&self, user: UserId) -> Result<Vec<ApplicationCredential>> {
        const LIST: &str = concat!("SELECT ", columns!(), " FROM application_credentials WHERE user_id = $1 ORDER BY name");
        attempt("list application credentials", || async move {
            sqlx::query(LIST).bind(user.to_string()).fetch_all(self.reader()).await?.iter().map(read).collect()
        })
        .await
    }

    async fn delete_application_credential(&self, id: ApplicationCredentialId) -> Result<bool> {
        const TOKENS: &str = "DELETE FROM tokens WHERE application_credential_id = $1";
        const DELETE: &str = "DELETE FROM application_credentials WHERE id = $1 RETURNING user_id";
        attempt("delete an application credential", || async move {
            let mut tx = self.begin().await?;
            sqlx::query(TOKENS).bind(id.to_string()).execute(tx.connection()).await?;
            let Some(row) = sqlx::query(DELETE).bind(id.to_string()).fetch_optional(tx.connection()).await? else {
                return Ok(false);
            };
            tx.announce(Event::UserChanged(Columns::new(TABLE, "user_id", &row).parsed("user_id")?));
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// Removes those of a user in a project that hold `role`, which the user has lost.
pub(super) async fn delete_with_role(tx: &mut Tx, user: UserId, project: ProjectId, role: &AnyRole) -> Attempt<()> {
    const LIST: &str = concat!("SELECT ", columns!(), " FROM application_credentials WHERE user_id = $1 AND project_id = $2");
    const DELETE: &str = "DELETE FROM application_credentials WHERE id = $1";
    let query = sqlx::query(LIST).bind(user.to_string()).bind(project.to_string());
    for row in &query.fetch_all(tx.connection()).await? {
        let credential = read(row)?;
        if credential.roles.iter().any(|held| held.id() == role.id()) {
            sqlx::query(DELETE).bind(credential.id.to_string()).execute(tx.connection()).await?;
        }
    }
    Ok(())
}

fn read(row: &Row) -> Attempt<ApplicationCredential> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(ApplicationCredential {
        id: columns.parsed("id")?,
        user_id: columns.parsed("user_id")?,
        project_id: columns.parsed("project_id")?,
        name: columns.string("name")?,
        description: columns.maybe("description", Columns::string)?,
        roles: columns.json("roles")?,
        expires_at: columns.maybe("expires_at", Columns::time)?,
        may_delegate: columns.flag("may_delegate")?,
        created_at: columns.time("created_at")?,
    })
}

fn read_with_hash(row: &Row) -> Attempt<(ApplicationCredential, String)> {
    Ok((read(row)?, Columns::new(TABLE, "id", row).string("secret_hash")?))
}
