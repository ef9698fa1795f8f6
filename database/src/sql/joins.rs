//! Tokens to join with, certificates, and events of hosts.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::Host;
use cuttle_model::host_event::{HostEvent, HostEventKind};
use cuttle_model::ids::HostId;

use super::hosts::{self, host_columns};
use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, changed};
use crate::Result;
use crate::events::Event;
use crate::joins::{Certificate, JoinToken, Joining, Joins, NewJoinToken};

/// How many events of a host are kept.
const EVENTS_KEPT: i64 = 500;

#[async_trait]
impl Joins for Handle {
    async fn insert_join_token(&self, host: HostId, token: &NewJoinToken) -> Result<()> {
        const VOID: &str = "DELETE FROM host_join_tokens WHERE host_id = $1 AND used_at IS NULL";
        const INSERT: &str =
            "INSERT INTO host_join_tokens (token_sha256, host_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        attempt("store a token to join with", || async move {
            let mut tx = self.begin().await?;
            sqlx::query(VOID).bind(host.to_string()).execute(tx.connection()).await?;
            let query = sqlx::query(INSERT)
                .bind(token.token_sha256.to_vec())
                .bind(host.to_string())
                .bind(token.created_at.as_micros())
                .bind(token.expires_at.as_micros());
            query.execute(tx.connection()).await?;
            tx.commit().await
        })
        .await
    }

    async fn find_join_token(&self, token_sha256: &[u8; 32]) -> Result<Option<JoinToken>> {
        const FIND: &str = concat!(
            "SELECT ",
            host_columns!(),
            ", token.expires_at AS token_expires_at, token.used_at AS token_used_at, token.used_from AS token_used_from \
             FROM hosts JOIN (SELECT host_id, expires_at, used_at, used_from FROM host_join_tokens WHERE token_sha256 = $1) \
             AS token ON token.host_id = hosts.id"
        );
        attempt("find a token to join with", || async move {
            let row = sqlx::query(FIND).bind(token_sha256.to_vec()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_token).transpose()
        })
        .await
    }

    async fn use_join_token(&self, token_sha256: &[u8; 32], joining: &Joining) -> Result<bool> {
        // All that decides is in this statement: of two at once, one waits for the other and then finds
        // the token used.
        const USE: &str = "UPDATE host_join_tokens SET used_at = $3, used_from = $4, public_key_sha256 = $2 \
             WHERE token_sha256 = $1 AND expires_at > $3 AND (used_at IS NULL OR public_key_sha256 = $2) RETURNING host_id";
        attempt("use a token to join with", || async move {
            let mut tx = self.begin().await?;
            let query = sqlx::query(USE)
                .bind(token_sha256.to_vec())
                .bind(joining.public_key_sha256.to_vec())
                .bind(joining.certificate.issued_at.as_micros())
                .bind(joining.from.clone());
            let Some(row) = query.fetch_optional(tx.connection()).await? else { return Ok(false) };
            let host: HostId = Columns::new("host_join_tokens", "host_id", &row).parsed("host_id")?;
            void(&mut tx, host, None).await?;
            insert(&mut tx, host, &joining.certificate).await?;
            tx.announce(Event::Host(host));
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn insert_certificate(&self, host: HostId, shown_sha256: &[u8; 32], next: &Certificate) -> Result<bool> {
        // The row is locked, so that it cannot become void before the next one is there.
        const SHOWN: &str = "UPDATE host_certificates SET issued_at = issued_at WHERE certificate_sha256 = $1 AND host_id = $2";
        attempt("store a host's next certificate", || async move {
            let mut tx = self.begin().await?;
            let shown = sqlx::query(SHOWN).bind(shown_sha256.to_vec()).bind(host.to_string());
            if !changed(shown, tx.connection()).await? {
                return Ok(false);
            }
            void(&mut tx, host, Some(shown_sha256)).await?;
            insert(&mut tx, host, next).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn keep_certificate(&self, host: HostId, certificate_sha256: &[u8; 32]) -> Result<()> {
        attempt("make a host's older certificates void", || async move {
            let mut tx = self.begin().await?;
            void(&mut tx, host, Some(certificate_sha256)).await?;
            tx.commit().await
        })
        .await
    }

    async fn authenticate_host(&self, certificate_sha256: &[u8; 32], now: Timestamp) -> Result<Option<Host>> {
        const FIND: &str = concat!(
            "SELECT ",
            host_columns!(),
            " FROM hosts WHERE id = (SELECT host_id FROM host_certificates WHERE certificate_sha256 = $1 AND expires_at > $2)"
        );
        attempt("find a host by its certificate", || async move {
            let row = sqlx::query(FIND).bind(certificate_sha256.to_vec()).bind(now.as_micros());
            row.fetch_optional(self.reader()).await?.as_ref().map(hosts::read).transpose()
        })
        .await
    }

    async fn certificate_expiry(&self, host: HostId) -> Result<Option<Timestamp>> {
        const EXPIRY: &str = "SELECT MAX(expires_at) AS expires_at FROM host_certificates WHERE host_id = $1";
        attempt("look when a host's certificate expires", || async move {
            let row = sqlx::query(EXPIRY).bind(host.to_string()).fetch_one(self.reader()).await?;
            Columns::new("host_certificates", "expires_at", &row).maybe("expires_at", Columns::time)
        })
        .await
    }

    async fn purge_join_tokens(&self, before: Timestamp) -> Result<u64> {
        const PURGE: &str = "DELETE FROM host_join_tokens WHERE expires_at < $1";
        attempt("remove old tokens to join with", || async move {
            Ok(sqlx::query(PURGE).bind(before.as_micros()).execute(self.writer()).await?.rows_affected())
        })
        .await
    }

    async fn insert_host_event(&self, host: HostId, event: &HostEvent) -> Result<()> {
        // A host that is gone has no events.
        const INSERT: &str = "INSERT INTO host_events (id, host_id, at, kind, message) \
             SELECT $1, id, $3, $4, $5 FROM hosts WHERE id = $2 ON CONFLICT (id) DO NOTHING";
        const CUT: &str = "DELETE FROM host_events WHERE host_id = $1 AND id NOT IN \
             (SELECT id FROM host_events WHERE host_id = $1 ORDER BY at DESC, id DESC LIMIT $2)";
        attempt("store an event of a host", || async move {
            let mut tx = self.begin().await?;
            let query = sqlx::query(INSERT)
                .bind(event.id.to_string())
                .bind(host.to_string())
                .bind(event.at.as_micros())
                .bind(event.kind.as_str())
                .bind(event.message.clone());
            if changed(query, tx.connection()).await? {
                sqlx::query(CUT).bind(host.to_string()).bind(EVENTS_KEPT).execute(tx.connection()).await?;
            }
            tx.commit().await
        })
        .await
    }

    async fn list_host_events(&self, host: HostId, limit: u32) -> Result<Vec<HostEvent>> {
        const LIST: &str = "SELECT id, at, kind, message FROM host_events WHERE host_id = $1 ORDER BY at DESC, id DESC LIMIT $2";
        attempt("list a host's events", || async move {
            let rows = sqlx::query(LIST).bind(host.to_string()).bind(i64::from(limit)).fetch_all(self.reader()).await?;
            rows.iter().map(read_event).collect()
        })
        .await
    }
}

/// Makes the host's certificates void, but for one.
async fn void(tx: &mut Tx, host: HostId, but: Option<&[u8; 32]>) -> Attempt<()> {
    const ALL: &str = "DELETE FROM host_certificates WHERE host_id = $1";
    const OTHERS: &str = "DELETE FROM host_certificates WHERE host_id = $1 AND certificate_sha256 <> $2";
    match but {
        None => sqlx::query(ALL).bind(host.to_string()).execute(tx.connection()).await?,
        Some(kept) => sqlx::query(OTHERS).bind(host.to_string()).bind(kept.to_vec()).execute(tx.connection()).await?,
    };
    Ok(())
}

async fn insert(tx: &mut Tx, host: HostId, certificate: &Certificate) -> Attempt<()> {
    const INSERT: &str =
        "INSERT INTO host_certificates (certificate_sha256, host_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)";
    let query = sqlx::query(INSERT)
        .bind(certificate.sha256.to_vec())
        .bind(host.to_string())
        .bind(certificate.issued_at.as_micros())
        .bind(certificate.expires_at.as_micros());
    query.execute(tx.connection()).await?;
    Ok(())
}

fn read_token(row: &Row) -> Attempt<JoinToken> {
    let columns = Columns::new("host_join_tokens", "id", row);
    Ok(JoinToken {
        host: hosts::read(row)?,
        expires_at: columns.time("token_expires_at")?,
        used_at: columns.maybe("token_used_at", Columns::time)?,
        used_from: columns.maybe("token_used_from", Columns::string)?,
    })
}

fn read_event(row: &Row) -> Attempt<HostEvent> {
    let columns = Columns::new("host_events", "id", row);
    Ok(HostEvent {
        id: columns.parsed("id")?,
        at: columns.time("at")?,
        kind: columns.word("kind", HostEventKind::from_word)?,
        message: columns.string("message")?,
    })
}
