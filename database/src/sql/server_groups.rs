//! Server groups, and the check of their policies when a member is placed.

use std::collections::HashMap;

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId, ProjectId, ServerGroupId};
use cuttle_model::quota::{Excess, Resource, excess};
use cuttle_model::server_group::{GroupPolicy, ServerGroup};
use sqlx::{QueryBuilder, Row as _};

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, changed, page, quotas};
use crate::Result;
use crate::quotas::QuotaScope;
use crate::server_groups::ServerGroups;

const TABLE: &str = "server_groups";

/// Groups with a row for each member that was not deleted, or one without.
macro_rules! groups {
    () => {
        "SELECT server_groups.id AS id, server_groups.project_id AS project_id, server_groups.user_id AS user_id, \
         server_groups.name AS name, policy, max_per_host, server_groups.created_at AS created_at, instances.id AS member \
         FROM server_groups LEFT JOIN server_group_members ON server_group_members.group_id = server_groups.id \
         LEFT JOIN instances ON instances.id = server_group_members.instance_id AND instances.state <> 'deleted'"
    };
}

/// In which hosts have how many members.
const HOSTS: &str = "SELECT claims.host_id AS host_id, COUNT(*) AS members FROM server_group_members \
     JOIN claims ON claims.instance_id = server_group_members.instance_id \
     WHERE server_group_members.group_id = $1 AND server_group_members.instance_id <> $2 \
     GROUP BY claims.host_id ORDER BY claims.host_id";

#[async_trait]
impl ServerGroups for Handle {
    async fn insert_server_group(&self, group: &ServerGroup, quota: &QuotaScope) -> Result<bool> {
        const COUNT: &str = "SELECT COUNT(*) AS taken FROM server_groups WHERE project_id = $1";
        const INSERT: &str = "INSERT INTO server_groups (id, project_id, user_id, name, policy, max_per_host, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        attempt("insert a server group", || async move {
            let mut tx = self.begin().await?;
            quotas::lock(&mut tx, format!("project {}", quota.project)).await?;
            let limit = quotas::limits(tx.connection(), quota).await?.of_user(Resource::ServerGroups);
            let count = sqlx::query(COUNT).bind(group.project_id.to_string()).fetch_one(tx.connection()).await?;
            if excess(Resource::ServerGroups, 1, count.try_get("taken")?, limit).is_some() {
                return Ok(false);
            }
            let insert = sqlx::query(INSERT)
                .bind(group.id.to_string())
                .bind(group.project_id.to_string())
                .bind(group.user_id.to_string())
                .bind(group.name.clone())
                .bind(group.policy.as_str())
                .bind(group.max_per_host.map(i64::from))
                .bind(group.created_at.as_micros());
            insert.execute(tx.connection()).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn get_server_group(&self, id: ServerGroupId) -> Result<Option<(ServerGroup, Vec<InstanceId>)>> {
        const GET: &str = concat!(groups!(), " WHERE server_groups.id = $1 ORDER BY instances.created_at, instances.id");
        attempt("get a server group", || async move {
            let rows = sqlx::query(GET).bind(id.to_string()).fetch_all(self.reader()).await?;
            Ok(read_all(&rows)?.into_iter().next())
        })
        .await
    }

    async fn list_server_groups(&self, project: Option<ProjectId>) -> Result<Vec<(ServerGroup, Vec<InstanceId>)>> {
        attempt("list server groups", || async move {
            let mut sql = QueryBuilder::<super::Db>::new(groups!());
            if let Some(project) = project {
                sql.push(" WHERE server_groups.project_id = ").push_bind(project.to_string());
            }
            sql.push(" ORDER BY server_groups.created_at, server_groups.id, instances.created_at, instances.id");
            read_all(&sql.build().fetch_all(self.reader()).await?)
        })
        .await
    }

    async fn delete_server_group(&self, id: ServerGroupId) -> Result<bool> {
        const DELETE: &str = "DELETE FROM server_groups WHERE id = $1";
        attempt("delete a server group", || async move { changed(sqlx::query(DELETE).bind(id.to_string()), self.writer()).await })
            .await
    }

    async fn groups_of(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, ServerGroupId>> {
        attempt("list instances' groups", || async move {
            let mut sql = QueryBuilder::<super::Db>::new("SELECT instance_id, group_id FROM server_group_members WHERE 1 = 1");
            page::push_among(&mut sql, "instance_id", instances.iter().map(|id| id.to_string()));
            let rows = sql.build().fetch_all(self.reader()).await?;
            let read = |row: &Row| {
                let columns = Columns::new("server_group_members", "instance_id", row);
                Ok((columns.parsed("instance_id")?, columns.parsed("group_id")?))
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn group_hosts(
        &self,
        id: ServerGroupId,
        without: Option<InstanceId>,
    ) -> Result<Option<(ServerGroup, Vec<(HostId, u32)>)>> {
        let Some((group, _)) = self.get_server_group(id).await? else { return Ok(None) };
        attempt("list a server group's hosts", || async {
            let without = without.map(|id| id.to_string()).unwrap_or_default();
            let rows = sqlx::query(HOSTS).bind(id.to_string()).bind(without).fetch_all(self.reader()).await?;
            Ok(Some((group.clone(), rows.iter().map(read_host).collect::<Attempt<_>>()?)))
        })
        .await
    }
}

/// What the group says of one more member.
pub(super) enum Joining {
    /// It is locked, and may have it.
    May,
    /// There is no such group (any more).
    Gone,
    OverQuota(Excess),
}

/// Locks the group, so that nobody else places a member until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, id: ServerGroupId, quota: Option<&QuotaScope>) -> Attempt<Joining> {
    const LOCK: &str = "UPDATE server_groups SET placements = placements + 1 WHERE id = $1";
    const COUNT: &str = "SELECT COUNT(*) AS taken FROM server_group_members \
         JOIN instances ON instances.id = server_group_members.instance_id AND instances.state <> 'deleted' WHERE group_id = $1";
    if !changed(sqlx::query(LOCK).bind(id.to_string()), tx.connection()).await? {
        return Ok(Joining::Gone);
    }
    let Some(quota) = quota else { return Ok(Joining::May) };
    let limit = quotas::limits(tx.connection(), quota).await?.of_user(Resource::ServerGroupMembers);
    let taken = sqlx::query(COUNT).bind(id.to_string()).fetch_one(tx.connection()).await?.try_get("taken")?;
    Ok(excess(Resource::ServerGroupMembers, 1, taken, limit).map_or(Joining::May, Joining::OverQuota))
}

/// As [`lock`], of the group that the instance is a member of, if it is of one.
pub(super) async fn lock_that_of(tx: &mut Tx, instance: InstanceId) -> Attempt<Option<ServerGroupId>> {
    const LOCK: &str = "UPDATE server_groups SET placements = placements + 1 \
         WHERE id = (SELECT group_id FROM server_group_members WHERE instance_id = $1) RETURNING id";
    let row = sqlx::query(LOCK).bind(instance.to_string()).fetch_optional(tx.connection()).await?;
    row.map(|row| Columns::new(TABLE, "id", &row).parsed("id")).transpose()
}

/// Does the locked group's policy allow `instance` on that host, with its members where they are now?
pub(super) async fn allows(tx: &mut Tx, id: ServerGroupId, instance: InstanceId, host: HostId) -> Attempt<bool> {
    const POLICY: &str = "SELECT id, policy, max_per_host FROM server_groups WHERE id = $1";
    let row = sqlx::query(POLICY).bind(id.to_string()).fetch_one(tx.connection()).await?;
    let columns = Columns::new(TABLE, "id", &row);
    let most = columns.maybe("max_per_host", Columns::number::<u32>)?.unwrap_or(1);
    let rows = sqlx::query(HOSTS).bind(id.to_string()).bind(instance.to_string()).fetch_all(tx.connection()).await?;
    let hosts: Vec<(HostId, u32)> = rows.iter().map(read_host).collect::<Attempt<_>>()?;
    let here = hosts.iter().find(|(known, _)| *known == host).map_or(0, |(_, members)| *members);
    Ok(match columns.word("policy", GroupPolicy::from_word)? {
        GroupPolicy::Affinity => hosts.is_empty() || here > 0,
        GroupPolicy::AntiAffinity => here < most,
        GroupPolicy::SoftAffinity | GroupPolicy::SoftAntiAffinity => true,
    })
}

/// Makes the instance a member.
pub(super) async fn join(tx: &mut Tx, id: ServerGroupId, instance: InstanceId) -> Attempt<()> {
    const JOIN: &str = "INSERT INTO server_group_members (instance_id, group_id) VALUES ($1, $2)";
    sqlx::query(JOIN).bind(instance.to_string()).bind(id.to_string()).execute(tx.connection()).await?;
    Ok(())
}

fn read_host(row: &Row) -> Attempt<(HostId, u32)> {
    let columns = Columns::new("claims", "host_id", row);
    Ok((columns.parsed("host_id")?, columns.number("members")?))
}

fn read_all(rows: &[Row]) -> Attempt<Vec<(ServerGroup, Vec<InstanceId>)>> {
    let mut all: Vec<(ServerGroup, Vec<InstanceId>)> = Vec::new();
    for row in rows {
        let columns = Columns::new(TABLE, "id", row);
        let id = columns.parsed("id")?;
        if all.last().is_none_or(|(last, _)| last.id != id) {
            let group = ServerGroup {
                id,
                project_id: columns.parsed("project_id")?,
                user_id: columns.parsed("user_id")?,
                name: columns.string("name")?,
                policy: columns.word("policy", GroupPolicy::from_word)?,
                max_per_host: columns.maybe("max_per_host", Columns::number)?,
                created_at: columns.time("created_at")?,
            };
            all.push((group, Vec::new()));
        }
        if let (Some((_, members)), Some(member)) = (all.last_mut(), columns.maybe("member", Columns::parsed)?) {
            members.push(member);
        }
    }
    Ok(all)
}
