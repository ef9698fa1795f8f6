//! Compute hosts.

use async_trait::async_trait;
use cuttle_model::capacity::Usage;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{Administrative, Host, HostName, HostResources};
use cuttle_model::ids::HostId;
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, bind, changed};
use crate::Result;
use crate::flavors::Inserted;
use crate::hosts::{Candidate, Hosts};

const TABLE: &str = "hosts";

macro_rules! host_columns {
    () => {
        "id, name, disabled, disabled_reason, resources, boot_id, last_seen_at, ceph_generation, created_at"
    };
}
pub(super) use host_columns;

/// Hosts with what is claimed of them.
macro_rules! usages {
    () => {
        concat!(
            "SELECT ",
            host_columns!(),
            ", COALESCE(taken.instances, 0) AS instances, COALESCE(taken.vcpus, 0) AS vcpus, \
             COALESCE(taken.ram_mib, 0) AS ram_mib, COALESCE(busy.io_ops, 0) AS io_ops, failed_builds, rules, \
             storage.quality AS storage_quality FROM hosts LEFT JOIN host_storage AS storage ON storage.host_id = hosts.id LEFT JOIN (\
             SELECT host_id, COUNT(*) AS instances, CAST(SUM(vcpus) AS BIGINT) AS vcpus, \
             CAST(SUM(ram_mib) AS BIGINT) AS ram_mib FROM claims GROUP BY host_id\
             ) AS taken ON taken.host_id = hosts.id LEFT JOIN (\
             SELECT host_id, COUNT(*) AS io_ops FROM instances WHERE task IS NOT NULL GROUP BY host_id\
             ) AS busy ON busy.host_id = hosts.id"
        )
    };
}

#[async_trait]
impl Hosts for Handle {
    async fn insert_host(&self, host: &Host) -> Result<Inserted> {
        const INSERT: &str = concat!(
            "INSERT INTO hosts (",
            host_columns!(),
            ", oldest_ceph_generation) SELECT $1, $2, $3, $4, $5, $6, $7, generation, $9, generation FROM \
             (SELECT COALESCE((SELECT ceph_generation + 1 FROM removed_hosts WHERE name = $2), $8) AS generation) AS first"
        );
        const SAME: &str = "SELECT id FROM hosts WHERE id = $1";
        const SAME_NAME: &str = "SELECT id FROM hosts WHERE name = $1";
        attempt("insert a host", || async move {
            let (disabled, reason) = administrative_columns(&host.administrative);
            let resources = host.resources.as_ref().map(|resources| bind::json(TABLE, "resources", resources)).transpose()?;
            let query = sqlx::query(INSERT)
                .bind(host.id.to_string())
                .bind(host.name.as_str().to_owned())
                .bind(disabled)
                .bind(reason)
                .bind(resources)
                .bind(host.boot_id.clone())
                .bind(host.last_seen_at.map(|time| time.as_micros()))
                .bind(host.ceph_generation)
                .bind(host.created_at.as_micros());
            let same = (SAME, host.id.to_string());
            self.insert_unique(query, same, (SAME_NAME, host.name.as_str().to_owned())).await
        })
        .await
    }

    async fn get_host(&self, id: HostId) -> Result<Option<Host>> {
        const GET: &str = concat!("SELECT ", host_columns!(), " FROM hosts WHERE id = $1");
        attempt("get a host", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn find_host(&self, name: &HostName) -> Result<Option<Host>> {
        const FIND: &str = concat!("SELECT ", host_columns!(), " FROM hosts WHERE name = $1");
        attempt("find a host", || async move {
            let row = sqlx::query(FIND).bind(name.as_str().to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn list_hosts(&self) -> Result<Vec<Host>> {
        const LIST: &str = concat!("SELECT ", host_columns!(), " FROM hosts ORDER BY name");
        attempt("list hosts", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn list_hosts_with_usage(&self) -> Result<Vec<Candidate>> {
        const LIST: &str = concat!(usages!(), " ORDER BY name");
        attempt("list hosts and what is claimed of them", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(read_candidate).collect()
        })
        .await
    }

    async fn find_host_with_usage(&self, name: &HostName) -> Result<Option<Candidate>> {
        const FIND: &str = concat!(usages!(), " WHERE name = $1");
        attempt("find a host and what is claimed of it", || async move {
            let row = sqlx::query(FIND).bind(name.as_str().to_owned()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_candidate).transpose()
        })
        .await
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        const LIST: &str = concat!(usages!(), " WHERE resources IS NOT NULL ORDER BY name");
        attempt("list hosts and their claims", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(read_candidate).collect()
        })
        .await
    }

    async fn record_hello(&self, host: HostId, boot_id: &str, resources: &HostResources, now: Timestamp) -> Result<()> {
        const RECORD: &str = "UPDATE hosts SET boot_id = $2, resources = $3, \
             last_seen_at = CASE WHEN last_seen_at > $4 THEN last_seen_at ELSE $4 END WHERE id = $1";
        attempt("record a host's hello", || async move {
            let query = sqlx::query(RECORD)
                .bind(host.to_string())
                .bind(boot_id.to_owned())
                .bind(bind::json(TABLE, "resources", resources)?)
                .bind(now.as_micros());
            query.execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn record_beats(&self, beats: &[(HostId, Timestamp)]) -> Result<()> {
        if beats.is_empty() {
            return Ok(());
        }
        attempt("record hosts' beats", || async move {
            let mut sql = QueryBuilder::new("WITH beats (host_id, seen_at) AS (");
            sql.push_values(beats, |mut row, (host, time)| {
                row.push_bind(host.to_string()).push_bind(time.as_micros());
            });
            // A host may be there twice.
            sql.push(
                "), newest AS (SELECT host_id, MAX(seen_at) AS seen_at FROM beats GROUP BY host_id) \
                 UPDATE hosts SET last_seen_at = newest.seen_at FROM newest WHERE hosts.id = newest.host_id \
                 AND (hosts.last_seen_at IS NULL OR hosts.last_seen_at < newest.seen_at)",
            );
            sql.build().execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn set_administrative(&self, host: HostId, administrative: &Administrative) -> Result<bool> {
        const SET: &str = "UPDATE hosts SET disabled = $2, disabled_reason = $3 WHERE id = $1";
        attempt("enable or disable a host", || async move {
            let (disabled, reason) = administrative_columns(administrative);
            changed(sqlx::query(SET).bind(host.to_string()).bind(disabled).bind(reason), self.writer()).await
        })
        .await
    }
}

fn administrative_columns(administrative: &Administrative) -> (i64, Option<String>) {
    match administrative {
        Administrative::Enabled => (0, None),
        Administrative::Disabled { reason } => (1, reason.clone()),
    }
}

pub(super) fn read(row: &Row) -> Attempt<Host> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(Host {
        id: columns.parsed("id")?,
        name: columns.parsed("name")?,
        administrative: match columns.flag("disabled")? {
            false => Administrative::Enabled,
            true => Administrative::Disabled { reason: columns.maybe("disabled_reason", Columns::string)? },
        },
        resources: columns.maybe("resources", Columns::json)?,
        boot_id: columns.maybe("boot_id", Columns::string)?,
        last_seen_at: columns.maybe("last_seen_at", Columns::time)?,
        ceph_generation: columns.integer("ceph_generation")?,
        created_at: columns.time("created_at")?,
    })
}

fn read_candidate(row: &Row) -> Attempt<Candidate> {
    let columns = Columns::new(TABLE, "id", row);
    let usage =
        Usage { instances: columns.number("instances")?, vcpus: columns.number("vcpus")?, ram_mib: columns.number("ram_mib")? };
    Ok(Candidate {
        host: read(row)?,
        usage,
        io_ops: columns.number("io_ops")?,
        failed_builds: columns.number("failed_builds")?,
        rules: columns.integer("rules")?,
        storage_quality: columns.maybe("storage_quality", Columns::number)?,
    })
}
