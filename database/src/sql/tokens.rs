//! Tokens: what one grants now.

use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{Project, Role, TokenGrant, User};

use super::row::Columns;
use super::{Attempt, Handle, Row};

impl Handle {
    pub(super) async fn insert_token_once(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Attempt<()> {
        const INSERT: &str = "INSERT INTO tokens (token_sha256, user_id, project_id, role, audit_id, issued_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(INSERT)
            .bind(token_sha256.to_vec())
            .bind(grant.user.id.to_string())
            .bind(grant.project.as_ref().map(|project| project.id.to_string()))
            .bind(grant.role.map(Role::as_str))
            .bind(grant.audit_id.clone())
            .bind(grant.issued_at.as_micros())
            .bind(grant.expires_at.as_micros());
        query.execute(self.writer()).await?;
        Ok(())
    }

    pub(super) async fn get_token_once(&self, token_sha256: &[u8; 32], now: Timestamp) -> Attempt<Option<TokenGrant>> {
        // One row for each role that the user has in the token's project.
        const GET: &str = "SELECT tokens.audit_id, tokens.role, tokens.issued_at, tokens.expires_at, users.id AS user_id, \
             users.name AS user_name, users.default_project_id, projects.id AS project_id, projects.name AS project_name, \
             projects.description AS project_description, role_assignments.role AS assigned_role \
             FROM tokens JOIN users ON users.id = tokens.user_id \
             LEFT JOIN projects ON projects.id = tokens.project_id AND projects.enabled = 1 \
             LEFT JOIN role_assignments ON role_assignments.user_id = tokens.user_id \
             AND role_assignments.project_id = tokens.project_id \
             WHERE tokens.token_sha256 = $1 AND tokens.expires_at > $2 AND users.enabled = 1 \
             AND (tokens.project_id IS NULL OR projects.id IS NOT NULL)";
        let rows = sqlx::query(GET).bind(token_sha256.to_vec()).bind(now.as_micros()).fetch_all(self.reader()).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let assigned = rows.iter().map(assigned_role).collect::<Attempt<Vec<_>>>()?.into_iter().flatten().max();
        let grant = read(first)?;
        // A role holds those below it; a token never grants more than it did when it was made.
        Ok(Some(grant).filter(|grant| grant.role <= assigned))
    }
}

fn assigned_role(row: &Row) -> Attempt<Option<Role>> {
    Columns::new("tokens", "audit_id", row).maybe("assigned_role", |columns, column| columns.word(column, Role::from_word))
}

fn read(row: &Row) -> Attempt<TokenGrant> {
    let columns = Columns::new("tokens", "audit_id", row);
    let project = columns.maybe("project_id", |columns, id| {
        Ok(Project {
            id: columns.parsed(id)?,
            name: columns.string("project_name")?,
            description: columns.string("project_description")?,
            // The query finds no others.
            enabled: true,
        })
    })?;
    Ok(TokenGrant {
        user: User {
            id: columns.parsed("user_id")?,
            name: columns.string("user_name")?,
            enabled: true,
            default_project_id: columns.maybe("default_project_id", Columns::parsed)?,
        },
        project,
        role: columns.maybe("role", |columns, column| columns.word(column, Role::from_word))?,
        audit_id: columns.string("audit_id")?,
        issued_at: columns.time("issued_at")?,
        expires_at: columns.time("expires_at")?,
    })
}
