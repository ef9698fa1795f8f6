//! Tokens: what one grants now.

use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{AnyRole, AuthMethod, Project, Role, TokenCredential, TokenGrant, User, powers};

use super::assignments::{read_role, role_columns};
use super::row::Columns;
use super::{Attempt, Handle, Row};
use crate::events::Event;

impl Handle {
    pub(super) async fn insert_token_once(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Attempt<bool> {
        const INSERT: &str = "INSERT INTO tokens (token_sha256, user_id, project_id, role, audit_id, issued_at, expires_at, \
             methods, application_credential_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let methods: Vec<&str> = grant.methods.iter().map(|method| method.as_str()).collect();
        let query = sqlx::query(INSERT)
            .bind(token_sha256.to_vec())
            .bind(grant.user.id.to_string())
            .bind(grant.project.as_ref().map(|project| project.id.to_string()))
            .bind(grant.role.map(Role::as_str))
            .bind(grant.audit_id.clone())
            .bind(grant.issued_at.as_micros())
            .bind(grant.expires_at.as_micros())
            .bind(methods.join(" "))
            .bind(grant.application_credential.as_ref().map(|credential| credential.id.to_string()));
        match query.execute(self.writer()).await.map_err(super::Failure::from) {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_dangling() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn get_token_once(&self, token_sha256: &[u8; 32], now: Timestamp) -> Attempt<Option<TokenGrant>> {
        // One row for each role that the user has in the token's project.
        const GET: &str = concat!(
            "SELECT tokens.audit_id, tokens.role, tokens.issued_at, tokens.expires_at, tokens.methods, users.id AS user_id, \
             users.name AS user_name, users.default_project_id, users.description AS user_description, users.email, \
             projects.id AS project_id, projects.name AS project_name, projects.description AS project_description, \
             application_credentials.id AS credential_id, application_credentials.name AS credential_name, \
             application_credentials.may_delegate, application_credentials.roles AS credential_roles, ",
            role_columns!(),
            " FROM tokens JOIN users ON users.id = tokens.user_id \
             LEFT JOIN projects ON projects.id = tokens.project_id AND projects.enabled = 1 \
             LEFT JOIN application_credentials ON application_credentials.id = tokens.application_credential_id \
             LEFT JOIN role_assignments ON role_assignments.user_id = tokens.user_id \
             AND role_assignments.project_id = tokens.project_id \
             LEFT JOIN custom_roles ON custom_roles.id = role_assignments.role \
             WHERE tokens.token_sha256 = $1 AND tokens.expires_at > $2 AND users.enabled = 1 \
             AND (tokens.project_id IS NULL OR projects.id IS NOT NULL)"
        );
        let rows = sqlx::query(GET).bind(token_sha256.to_vec()).bind(now.as_micros()).fetch_all(self.reader()).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let assigned = rows.iter().filter_map(|row| read_role(&columns_of(row)).transpose()).collect::<Attempt<Vec<_>>>()?;
        let has_roles = !assigned.is_empty();
        let (most, custom) = powers(assigned);
        let (mut grant, limits) = read(first)?;
        grant.custom_roles = match limits {
            Some(limits) => custom.into_iter().filter(|role| limits.iter().any(|limit| limit.id() == role.id)).collect(),
            None => custom,
        };
        // A role holds those below it; a token never grants more than it did when it was made, and
        // nothing once its user has no role in its project.
        Ok(Some(grant).filter(|grant| grant.role <= most && (has_roles || grant.project.is_none())))
    }

    pub(super) async fn delete_token_once(&self, token_sha256: &[u8; 32]) -> Attempt<bool> {
        const DELETE: &str = "DELETE FROM tokens WHERE token_sha256 = $1 RETURNING user_id";
        let mut tx = self.begin().await?;
        let Some(row) = sqlx::query(DELETE).bind(token_sha256.to_vec()).fetch_optional(tx.connection()).await? else {
            return Ok(false);
        };
        tx.announce(Event::UserChanged(Columns::new("tokens", "user_id", &row).parsed("user_id")?));
        tx.commit().await?;
        Ok(true)
    }
}

fn columns_of(row: &Row) -> Columns<'_> {
    Columns::new("tokens", "audit_id", row)
}

/// What the token grants, and the roles of its application credential.
fn read(row: &Row) -> Attempt<(TokenGrant, Option<Vec<AnyRole>>)> {
    let columns = columns_of(row);
    let project = columns.maybe("project_id", |columns, id| {
        Ok(Project {
            id: columns.parsed(id)?,
            name: columns.string("project_name")?,
            description: columns.string("project_description")?,
            // The query finds no others.
            enabled: true,
        })
    })?;
    let application_credential = columns.maybe("credential_id", |columns, id| {
        Ok(TokenCredential {
            id: columns.parsed(id)?,
            name: columns.string("credential_name")?,
            may_delegate: columns.flag("may_delegate")?,
        })
    })?;
    let methods = columns.text("methods")?.split(' ').map(AuthMethod::from_word).collect::<Option<Vec<_>>>();
    let grant = TokenGrant {
        user: User {
            id: columns.parsed("user_id")?,
            name: columns.string("user_name")?,
            enabled: true,
            default_project_id: columns.maybe("default_project_id", Columns::parsed)?,
            description: columns.maybe("user_description", Columns::string)?,
            email: columns.maybe("email", Columns::string)?,
        },
        project,
        role: columns.maybe("role", |columns, column| columns.word(column, Role::from_word))?,
        custom_roles: Vec::new(),
        methods: methods.ok_or_else(|| columns.bad("methods"))?,
        application_credential,
        audit_id: columns.string("audit_id")?,
        issued_at: columns.time("issued_at")?,
        expires_at: columns.time("expires_at")?,
    };
    Ok((grant, columns.maybe("credential_roles", Columns::json)?))
}
