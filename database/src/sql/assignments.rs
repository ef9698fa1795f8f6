//! Custom roles and role assignments.

use async_trait::async_trait;
use cuttle_model::identity::{AnyRole, Assignment, CustomRole, Role};
use cuttle_model::ids::{ProjectId, RoleId, UserId};

use super::row::Columns;
use super::{Attempt, Failure, Handle, Query, Row, attempt};
use crate::Result;
use crate::assignments::{AssignmentQuery, Assignments};
use crate::events::Event;
use crate::flavors::Inserted;
use crate::identity::Updated;

/// How an assignment names a role.
pub(super) fn key(role: &AnyRole) -> String {
    match role {
        AnyRole::Known(role) => role.as_str().to_owned(),
        AnyRole::Custom(role) => role.id.to_string(),
    }
}

/// The columns of the role that an assignment names.
macro_rules! role_columns {
    () => {
        "role_assignments.role AS assigned_role, custom_roles.id AS custom_role_id, \
         custom_roles.name AS custom_role_name, custom_roles.description AS custom_role_description"
    };
}
pub(super) use role_columns;

/// Reads [`role_columns`]; `None` where there is no assignment, or its role went.
pub(super) fn read_role(columns: &Columns<'_>) -> Attempt<Option<AnyRole>> {
    let word = columns.maybe("assigned_role", Columns::string)?;
    if let Some(role) = word.as_deref().and_then(Role::from_word) {
        return Ok(Some(AnyRole::Known(role)));
    }
    columns.maybe("custom_role_id", |columns, id| {
        Ok(AnyRole::Custom(CustomRole {
            id: columns.parsed(id)?,
            name: columns.string("custom_role_name")?,
            description: columns.maybe("custom_role_description", Columns::string)?,
        }))
    })
}

#[async_trait]
impl Assignments for Handle {
    async fn insert_role(&self, role: &CustomRole) -> Result<Inserted> {
        const INSERT: &str = "INSERT INTO custom_roles (id, name, description) VALUES ($1, $2, $3)";
        const SAME: &str = "SELECT id FROM custom_roles WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM custom_roles WHERE name = $1";
        attempt("insert a role", || async move {
            let query = write(INSERT, role);
            self.insert_unique(query, (SAME, role.id.to_string()), (SAME_NAME, role.name.clone())).await
        })
        .await
    }

    async fn list_roles(&self) -> Result<Vec<CustomRole>> {
        const LIST: &str = "SELECT id, name, description FROM custom_roles ORDER BY name";
        attempt(
            "list roles",
            || async move { sqlx::query(LIST).fetch_all(self.reader()).await?.iter().map(read_custom).collect() },
        )
        .await
    }

    async fn update_role(&self, role: &CustomRole) -> Result<Updated<CustomRole>> {
        const UPDATE: &str = "UPDATE custom_roles SET name = $2, description = $3 WHERE id = $1";
        attempt("change a role", || async move {
            match write(UPDATE, role).execute(self.writer()).await.map_err(Failure::from) {
                Ok(done) if done.rows_affected() > 0 => Ok(Updated::Done(role.clone())),
                Ok(_) => Ok(Updated::Missing),
                Err(failure) if failure.is_duplicate() => Ok(Updated::SameName),
                Err(failure) => Err(failure),
            }
        })
        .await
    }

    async fn delete_role(&self, id: RoleId) -> Result<bool> {
        const UNASSIGN: &str = "DELETE FROM role_assignments WHERE role = $1 RETURNING user_id";
        const DELETE: &str = "DELETE FROM custom_roles WHERE id = $1";
        attempt("delete a role", || async move {
            let mut tx = self.begin().await?;
            let rows = sqlx::query(UNASSIGN).bind(id.to_string()).fetch_all(tx.connection()).await?;
            for row in &rows {
                tx.announce(Event::UserChanged(Columns::new("role_assignments", "user_id", row).parsed("user_id")?));
            }
            let found = super::changed(sqlx::query(DELETE).bind(id.to_string()), tx.connection()).await?;
            tx.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn assign(&self, user: UserId, project: ProjectId, role: &AnyRole) -> Result<bool> {
        // What the program knows always exists; a custom role must be there when it is assigned.
        const ASSIGN: &str = "INSERT INTO role_assignments (user_id, project_id, role) SELECT $1, $2, $3 \
             WHERE $4 = 1 OR EXISTS (SELECT 1 FROM custom_roles WHERE id = $3) \
             ON CONFLICT (user_id, project_id, role) DO NOTHING";
        const THERE: &str = "SELECT role FROM role_assignments WHERE user_id = $1 AND project_id = $2 AND role = $3";
        attempt("assign a role", || async move {
            let mut tx = self.begin().await?;
            let is_known = i64::from(matches!(role, AnyRole::Known(_)));
            let named = |statement| sqlx::query(statement).bind(user.to_string()).bind(project.to_string()).bind(key(role));
            match named(ASSIGN).bind(is_known).execute(tx.connection()).await.map_err(Failure::from) {
                Ok(_) => {}
                Err(failure) if failure.is_dangling() => return Ok(false),
                Err(failure) => return Err(failure),
            }
            let there = named(THERE).fetch_optional(tx.connection()).await?.is_some();
            tx.announce(Event::UserChanged(user));
            tx.commit().await?;
            Ok(there)
        })
        .await
    }

    async fn unassign(&self, user: UserId, project: ProjectId, role: &AnyRole) -> Result<bool> {
        const UNASSIGN: &str = "DELETE FROM role_assignments WHERE user_id = $1 AND project_id = $2 AND role = $3";
        const TOKENS: &str = "DELETE FROM tokens WHERE user_id = $1 AND project_id = $2";
        attempt("take a role away", || async move {
            let mut tx = self.begin().await?;
            let of_user = |statement| sqlx::query(statement).bind(user.to_string()).bind(project.to_string());
            if !super::changed(of_user(UNASSIGN).bind(key(role)), tx.connection()).await? {
                return Ok(false);
            }
            of_user(TOKENS).execute(tx.connection()).await?;
            super::application_credentials::delete_with_role(&mut tx, user, project, role).await?;
            tx.announce(Event::UserChanged(user));
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn roles_in(&self, user: UserId, project: ProjectId) -> Result<Vec<AnyRole>> {
        let query = AssignmentQuery { user: Some(user), project: Some(project) };
        Ok(self.list_assignments(&query).await?.into_iter().map(|assignment| assignment.role).collect())
    }

    async fn list_assignments(&self, query: &AssignmentQuery) -> Result<Vec<Assignment>> {
        const LIST: &str = concat!(
            "SELECT users.id AS user_id, users.name AS user_name, projects.id AS project_id, projects.name AS project_name, ",
            role_columns!(),
            " FROM role_assignments JOIN users ON users.id = role_assignments.user_id \
             JOIN projects ON projects.id = role_assignments.project_id \
             LEFT JOIN custom_roles ON custom_roles.id = role_assignments.role \
             WHERE ($1 IS NULL OR role_assignments.user_id = $1) AND ($2 IS NULL OR role_assignments.project_id = $2) \
             ORDER BY projects.name, users.name, role_assignments.role"
        );
        attempt("list role assignments", || async move {
            let text = |id: Option<String>| id;
            let rows = sqlx::query(LIST)
                .bind(text(query.user.map(|id| id.to_string())))
                .bind(text(query.project.map(|id| id.to_string())))
                .fetch_all(self.reader())
                .await?;
            rows.iter().filter_map(|row| read_assignment(row).transpose()).collect()
        })
        .await
    }
}

fn write<'q>(statement: &'static str, role: &CustomRole) -> Query<'q> {
    sqlx::query(statement).bind(role.id.to_string()).bind(role.name.clone()).bind(role.description.clone())
}

fn read_custom(row: &Row) -> Attempt<CustomRole> {
    let columns = Columns::new("custom_roles", "id", row);
    Ok(CustomRole {
        id: columns.parsed("id")?,
        name: columns.string("name")?,
        description: columns.maybe("description", Columns::string)?,
    })
}

/// `None` for a role that went.
fn read_assignment(row: &Row) -> Attempt<Option<Assignment>> {
    let columns = Columns::new("role_assignments", "user_id", row);
    let Some(role) = read_role(&columns)? else { return Ok(None) };
    Ok(Some(Assignment {
        user_id: columns.parsed("user_id")?,
        user_name: columns.string("user_name")?,
        project_id: columns.parsed("project_id")?,
        project_name: columns.string("project_name")?,
        role,
    }))
}
