//! Projects, users, roles, settings.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{Project, Role, TokenGrant, User};
use cuttle_model::ids::{ProjectId, UserId};

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, changed};
use crate::Result;
use crate::flavors::Inserted;
use crate::identity::{Credentials, Identity};

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
        const INSERT: &str =
            "INSERT INTO users (id, name, enabled, default_project_id, password_hash) VALUES ($1, $2, $3, $4, $5)";
        const SAME: &str = "SELECT id FROM users WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM users WHERE name = $1";
        attempt("insert a user", || async move {
            let query = sqlx::query(INSERT)
                .bind(user.id.to_string())
                .bind(user.name.clone())
                .bind(i64::from(user.enabled))
                .bind(user.default_project_id.map(|id| id.to_string()))
                .bind(password_hash.to_owned());
            self.insert_unique(query, (SAME, user.id.to_string()), (SAME_NAME, user.name.clone())).await
        })
        .await
    }

    async fn get_credentials(&self, id: UserId) -> Result<Option<Credentials>> {
        const GET: &str = "SELECT id, name, enabled, default_project_id, password_hash FROM users WHERE id = $1";
        attempt("get a user", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_credentials).transpose()
        })
        .await
    }

    async fn find_credentials(&self, name: &str) -> Result<Option<Credentials>> {
        const FIND: &str = "SELECT id, name, enabled, default_project_id, password_hash FROM users WHERE name = $1";
        attempt("find a user", || async move {
            let row = sqlx::query(FIND).bind(name.to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_credentials).transpose()
        })
        .await
    }

    async fn set_password(&self, user: UserId, password_hash: &str) -> Result<bool> {
        const SET: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";
        attempt("change a user's password", || async move {
            changed(sqlx::query(SET).bind(user.to_string()).bind(password_hash.to_owned()), self.writer()).await
        })
        .await
    }

    async fn list_users(&self) -> Result<Vec<User>> {
        const LIST: &str = "SELECT id, name, enabled, default_project_id FROM users ORDER BY name";
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

    async fn role_in(&self, user: UserId, project: ProjectId) -> Result<Option<Role>> {
        const ROLES: &str = "SELECT user_id, role FROM role_assignments WHERE user_id = $1 AND project_id = $2";
        attempt("get a user's role", || async move {
            let rows = sqlx::query(ROLES).bind(user.to_string()).bind(project.to_string()).fetch_all(self.reader()).await?;
            let read = |row: &Row| Columns::new("role_assignments", "user_id", row).word("role", Role::from_word);
            let roles: Vec<Role> = rows.iter().map(read).collect::<Attempt<_>>()?;
            Ok(roles.into_iter().max())
        })
        .await
    }

    async fn insert_token(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Result<()> {
        attempt("insert a token", || self.insert_token_once(token_sha256, grant)).await
    }

    async fn get_token(&self, token_sha256: &[u8; 32], now: Timestamp) -> Result<Option<TokenGrant>> {
        attempt("get a token", || self.get_token_once(token_sha256, now)).await
    }

    async fn delete_token(&self, token_sha256: &[u8; 32]) -> Result<bool> {
        const DELETE: &str = "DELETE FROM tokens WHERE token_sha256 = $1";
        attempt("revoke a token", || async move { changed(sqlx::query(DELETE).bind(token_sha256.to_vec()), self.writer()).await })
            .await
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
    })
}

fn read_credentials(row: &Row) -> Attempt<Credentials> {
    let password_hash = Columns::new("users", "id", row).string("password_hash")?;
    Ok(Credentials { user: read_user(row)?, password_hash })
}
