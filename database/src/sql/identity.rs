//! Projects, users, roles, settings.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{Project, Role, TokenGrant, User};
use cuttle_model::ids::{ProjectId, UserId};

use super::row::Columns;
use super::{Attempt, Failure, Handle, Row, Tx, attempt, changed};
use crate::Result;
use crate::events::Event;
use crate::flavors::Inserted;
use crate::identity::{Credentials, Identity, ProjectChange, ProjectDeleted, Updated, UserChange};

#[async_trait]
impl Identity for Handle {
    async fn insert_project(&self, project: &Project) -> Result<Inserted> {
        const INSERT: &str = "INSERT INTO projects (id, name, description, enabled) VALUES ($1, $2, $3, $4)";
        const SAME: &str = "SELECT id FROM projects WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM projects WHERE name = $1";
        attempt("insert a project", || async move {
            let query = sqlx::query(INSERT)
                .bind(project.id.to_string())
                .bind(project.name.clone())
                .bind(project.description.clone())
                .bind(i64::from(project.enabled));
            self.insert_unique(query, (SAME, project.id.to_string()), (SAME_NAME, project.name.clone())).await
        })
        .await
    }

    async fn get_project(&self, id: ProjectId) -> Result<Option<Project>> {
        const GET: &str = "SELECT id, name, description, enabled FROM projects WHERE id = $1";
        attempt("get a project", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_project).transpose()
        })
        .await
    }

    async fn find_project(&self, name: &str) -> Result<Option<Project>> {
        const FIND: &str = "SELECT id, name, description, enabled FROM projects WHERE name = $1";
        attempt("find a project", || async move {
            let row = sqlx::query(FIND).bind(name.to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_project).transpose()
        })
        .await
    }

    async fn list_projects(&self) -> Result<Vec<Project>> {
        const LIST: &str = "SELECT id, name, description, enabled FROM projects ORDER BY name";
        attempt("list projects", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(read_project).collect()
        })
        .await
    }

    async fn update_project(&self, id: ProjectId, change: &ProjectChange) -> Result<Updated<Project>> {
        const UPDATE: &str = "UPDATE projects SET name = COALESCE($2, name), description = COALESCE($3, description), \
             enabled = COALESCE($4, enabled) WHERE id = $1 RETURNING id, name, description, enabled";
        const TOKENS: &str = "DELETE FROM tokens WHERE project_id = $1";
        attempt("change a project", || async move {
            let mut tx = self.begin().await?;
            let query = sqlx::query(UPDATE)
                .bind(id.to_string())
                .bind(change.name.clone())
                .bind(change.description.clone())
                .bind(change.enabled.map(i64::from));
            let row = match query.fetch_optional(tx.connection()).await.map_err(Failure::from) {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(Updated::Missing),
                Err(failure) if failure.is_duplicate() => return Ok(Updated::SameName),
                Err(failure) => return Err(failure),
            };
            let project = read_project(&row)?;
            if !project.enabled {
                sqlx::query(TOKENS).bind(id.to_string()).execute(tx.connection()).await?;
            }
            tx.announce(Event::ProjectChanged(id));
            tx.commit().await?;
            Ok(Updated::Done(project))
        })
        .await
    }

    async fn delete_project(&self, id: ProjectId) -> Result<ProjectDeleted> {
        const DELETE: &str = "DELETE FROM projects WHERE id = $1";
        attempt("delete a project", || async move {
            let mut tx = self.begin().await?;
            // First, so that nobody gets a token for it while its things are counted.
            if !changed(sqlx::query(DELETE).bind(id.to_string()), tx.connection()).await? {
                return Ok(ProjectDeleted::Missing);
            }
            let (instances, images) = owned(&mut tx, id).await?;
            if instances + images > 0 {
                return Ok(ProjectDeleted::InUse { instances, images });
            }
            tx.announce(Event::ProjectChanged(id));
            tx.commit().await?;
            Ok(ProjectDeleted::Done)
        })
        .await
    }

    async fn projects_of(&self, user: UserId) -> Result<Vec<Project>> {
        const LIST: &str = "SELECT id, name, description, enabled FROM projects \
             WHERE id IN (SELECT project_id FROM role_assignments WHERE user_id = $1) ORDER BY name";
        attempt("list a user's projects", || async move {
            let rows = sqlx::query(LIST).bind(user.to_string()).fetch_all(self.reader()).await?;
            rows.iter().map(read_project).collect()
        })
        .await
    }

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<Inserted> {
        const INSERT: &str = "INSERT INTO users (id, name, enabled, default_project_id, description, email, password_hash) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        const SAME: &str = "SELECT id FROM users WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM users WHERE name = $1";
        attempt("insert a user", || async move {
            let query = sqlx::query(INSERT)
                .bind(user.id.to_string())
                .bind(user.name.clone())
                .bind(i64::from(user.enabled))
                .bind(user.default_project_id.map(|id| id.to_string()))
                .bind(user.description.clone())
                .bind(user.email.clone())
                .bind(password_hash.to_owned());
            self.insert_unique(query, (SAME, user.id.to_string()), (SAME_NAME, user.name.clone())).await
        })
        .await
    }

    async fn get_credentials(&self, id: UserId) -> Result<Option<Credentials>> {
        const GET: &str =
            "SELECT id, name, enabled, default_project_id, description, email, password_hash FROM users WHERE id = $1";
        attempt("get a user", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_credentials).transpose()
        })
        .await
    }

    async fn find_credentials(&self, name: &str) -> Result<Option<Credentials>> {
        const FIND: &str =
            "SELECT id, name, enabled, default_project_id, description, email, password_hash FROM users WHERE name = $1";
        attempt("find a user", || async move {
            let row = sqlx::query(FIND).bind(name.to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_credentials).transpose()
        })
        .await
    }

    async fn set_password(&self, user: UserId, password_hash: &str) -> Result<bool> {
        let change = UserChange { password_hash: Some(password_hash.to_owned()), ..UserChange::default() };
        Ok(matches!(self.update_user(user, &change).await?, Updated::Done(_)))
    }

    async fn update_user(&self, id: UserId, change: &UserChange) -> Result<Updated<User>> {
        const UPDATE: &str = "UPDATE users SET name = COALESCE($2, name), enabled = COALESCE($3, enabled), \
             password_hash = COALESCE($4, password_hash), \
             default_project_id = CASE WHEN $5 = 1 THEN $6 ELSE default_project_id END, \
             description = CASE WHEN $7 = 1 THEN $8 ELSE description END, \
             email = CASE WHEN $9 = 1 THEN $10 ELSE email END \
             WHERE id = $1 RETURNING id, name, enabled, default_project_id, description, email";
        const TOKENS: &str = "DELETE FROM tokens WHERE user_id = $1";
        let given = |field: bool| i64::from(field);
        attempt("change a user", || async move {
            let mut tx = self.begin().await?;
            let query = sqlx::query(UPDATE)
                .bind(id.to_string())
                .bind(change.name.clone())
                .bind(change.enabled.map(i64::from))
                .bind(change.password_hash.clone())
                .bind(given(change.default_project_id.is_some()))
                .bind(change.default_project_id.flatten().map(|id| id.to_string()))
                .bind(given(change.description.is_some()))
                .bind(change.description.clone().flatten())
                .bind(given(change.email.is_some()))
                .bind(change.email.clone().flatten());
            let row = match query.fetch_optional(tx.connection()).await.map_err(Failure::from) {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(Updated::Missing),
                Err(failure) if failure.is_duplicate() => return Ok(Updated::SameName),
                Err(failure) => return Err(failure),
            };
            let user = read_user(&row)?;
            if !user.enabled || change.password_hash.is_some() {
                sqlx::query(TOKENS).bind(id.to_string()).execute(tx.connection()).await?;
            }
            tx.announce(Event::UserChanged(id));
            tx.commit().await?;
            Ok(Updated::Done(user))
        })
        .await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool> {
        const DELETE: &str = "DELETE FROM users WHERE id = $1";
        attempt("delete a user", || async move {
            let mut tx = self.begin().await?;
            // Assignments, tokens and application credentials go with it.
            let found = changed(sqlx::query(DELETE).bind(id.to_string()), tx.connection()).await?;
            tx.announce(Event::UserChanged(id));
            tx.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn list_users(&self) -> Result<Vec<User>> {
        const LIST: &str = "SELECT id, name, enabled, default_project_id, description, email FROM users ORDER BY name";
        attempt("list users", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(read_user).collect()
        })
        .await
    }

    async fn assign_role(&self, user: UserId, project: ProjectId, role: Role) -> Result<()> {
        const ASSIGN: &str = "INSERT INTO role_assignments (user_id, project_id, role) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id, project_id, role) DO NOTHING";
        attempt("assign a role", || async move {
            let query = sqlx::query(ASSIGN).bind(user.to_string()).bind(project.to_string()).bind(role.as_str());
            query.execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn insert_token(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Result<bool> {
        attempt("insert a token", || self.insert_token_once(token_sha256, grant)).await
    }

    async fn get_token(&self, token_sha256: &[u8; 32], now: Timestamp) -> Result<Option<TokenGrant>> {
        attempt("get a token", || self.get_token_once(token_sha256, now)).await
    }

    async fn delete_token(&self, token_sha256: &[u8; 32]) -> Result<bool> {
        attempt("revoke a token", || self.delete_token_once(token_sha256)).await
    }

    async fn purge_tokens(&self, now: Timestamp) -> Result<u64> {
        const PURGE: &str = "DELETE FROM tokens WHERE expires_at <= $1";
        attempt("remove expired tokens", || async move {
            Ok(sqlx::query(PURGE).bind(now.as_micros()).execute(self.writer()).await?.rows_affected())
        })
        .await
    }

    async fn get_or_insert_setting(&self, key: &str, value: &str) -> Result<String> {
        const INSERT: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        const GET: &str = "SELECT key, value FROM settings WHERE key = $1";
        attempt("get or insert a setting", || async move {
            sqlx::query(INSERT).bind(key.to_owned()).bind(value.to_owned()).execute(self.writer()).await?;
            let row = sqlx::query(GET).bind(key.to_owned()).fetch_one(self.reader()).await?;
            Columns::new("settings", "key", &row).string("value")
        })
        .await
    }
}

/// How many instances and images a project has.
async fn owned(tx: &mut Tx, id: ProjectId) -> Attempt<(u64, u64)> {
    const COUNT: &str = "SELECT \
         (SELECT COUNT(*) FROM instances WHERE project_id = $1 AND state <> 'deleted') AS instances, \
         (SELECT COUNT(*) FROM images WHERE project_id = $1 AND status <> 'deleted') AS images";
    let row = sqlx::query(COUNT).bind(id.to_string()).fetch_one(tx.connection()).await?;
    let columns = Columns::new("projects", "id", &row);
    Ok((columns.number("instances")?, columns.number("images")?))
}

fn read_project(row: &Row) -> Attempt<Project> {
    let columns = Columns::new("projects", "id", row);
    Ok(Project {
        id: columns.parsed("id")?,
        name: columns.string("name")?,
        description: columns.string("description")?,
        enabled: columns.flag("enabled")?,
    })
}

fn read_user(row: &Row) -> Attempt<User> {
    let columns = Columns::new("users", "id", row);
    Ok(User {
        id: columns.parsed("id")?,
        name: columns.string("name")?,
        enabled: columns.flag("enabled")?,
        default_project_id: columns.maybe("default_project_id", Columns::parsed)?,
        description: columns.maybe("description", Columns::string)?,
        email: columns.maybe("email", Columns::string)?,
    })
}

fn read_credentials(row: &Row) -> Attempt<Credentials> {
    let password_hash = Columns::new("users", "id", row).string("password_hash")?;
    Ok(Credentials { user: read_user(row)?, password_hash })
}
