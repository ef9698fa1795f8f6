//! Quotas: limits as rows, usage as sums, and the lock under which both are looked at.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::ids::{ProjectId, UserId};
use cuttle_model::quota::{Amounts, Excess, Resource, excess};

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt};
use crate::Result;
use crate::quotas::{InstanceUsage, Limits, QuotaScope, Quotas};

/// The resources that instances take.
const OF_INSTANCES: [Resource; 3] = [Resource::Instances, Resource::Cores, Resource::Ram];

#[async_trait]
impl Quotas for Handle {
    async fn get_quota(&self, scope: &QuotaScope) -> Result<Limits> {
        attempt("read a quota", || async move { limits(self.reader(), scope).await }).await
    }

    async fn get_default_quota(&self, configured: Amounts) -> Result<Amounts> {
        const GET: &str = "SELECT resource, hard_limit FROM quota_class_limits";
        attempt("read the default quota", || async move {
            let rows = sqlx::query(GET).fetch_all(self.reader()).await?;
            rows.iter().try_fold(configured, |amounts, row| {
                let (resource, limit) = read(row)?;
                Ok(amounts.with(resource, limit))
            })
        })
        .await
    }

    async fn set_default_quota(&self, limits: &BTreeMap<Resource, i64>) -> Result<()> {
        const SET: &str = "INSERT INTO quota_class_limits (resource, hard_limit) VALUES ($1, $2) \
             ON CONFLICT (resource) DO UPDATE SET hard_limit = $2";
        attempt("set the default quota", || async move {
            let mut tx = self.begin().await?;
            for (resource, limit) in limits {
                sqlx::query(SET).bind(resource.as_str()).bind(*limit).execute(tx.connection()).await?;
            }
            tx.commit().await
        })
        .await
    }

    async fn set_quota(&self, project: ProjectId, user: Option<UserId>, limits: &BTreeMap<Resource, i64>) -> Result<()> {
        const SET: &str = "INSERT INTO quota_limits (project_id, user_id, resource, hard_limit) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (project_id, user_id, resource) DO UPDATE SET hard_limit = $4";
        attempt("set a quota", || async move {
            let mut tx = self.begin().await?;
            for (resource, limit) in limits {
                let set = sqlx::query(SET).bind(project.to_string()).bind(user_column(user)).bind(resource.as_str()).bind(*limit);
                set.execute(tx.connection()).await?;
            }
            tx.commit().await
        })
        .await
    }

    async fn reset_quota(&self, project: ProjectId, user: Option<UserId>) -> Result<()> {
        const RESET: &str = "DELETE FROM quota_limits WHERE project_id = $1 AND ($2 = '' OR user_id = $2)";
        attempt("reset a quota", || async move {
            sqlx::query(RESET).bind(project.to_string()).bind(user_column(user)).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn instance_usage(&self, project: ProjectId, user: Option<UserId>) -> Result<InstanceUsage> {
        attempt("sum up a project's instances", || async move {
            let (all, own) = usage(self.reader(), project, &user_column(user)).await?;
            Ok(if user.is_some() { own } else { all })
        })
        .await
    }
}

/// No user: the project's own.
fn user_column(user: Option<UserId>) -> String {
    user.map(|user| user.to_string()).unwrap_or_default()
}

/// Keeps others from counting in this scope until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, scope: String) -> Attempt<()> {
    const LOCK: &str = "INSERT INTO quota_locks (scope, writes) VALUES ($1, 1) \
         ON CONFLICT (scope) DO UPDATE SET writes = quota_locks.writes + 1";
    sqlx::query(LOCK).bind(scope).execute(tx.connection()).await?;
    Ok(())
}

/// The limits that hold, in one query.
pub(super) async fn limits<'c, E: sqlx::Executor<'c, Database = super::Db>>(on: E, scope: &QuotaScope) -> Attempt<Limits> {
    const LIMITS: &str = "SELECT resource, hard_limit, CAST(0 AS BIGINT) AS rank FROM quota_class_limits \
         UNION ALL SELECT resource, hard_limit, CAST(1 AS BIGINT) AS rank FROM quota_limits WHERE project_id = $1 AND user_id = '' \
         UNION ALL SELECT resource, hard_limit, CAST(2 AS BIGINT) AS rank FROM quota_limits WHERE project_id = $1 AND user_id = $2 \
         ORDER BY rank";
    let rows = sqlx::query(LIMITS).bind(scope.project.to_string()).bind(scope.user.to_string()).fetch_all(on).await?;
    let mut limits = Limits { project: scope.configured, user: BTreeMap::new() };
    for row in &rows {
        let (resource, limit) = read(row)?;
        match Columns::new("quota_limits", "resource", row).number::<i32>("rank")? {
            2 => {
                limits.user.insert(resource, limit);
            }
            _ => limits.project.set(resource, limit),
        }
    }
    Ok(limits)
}

/// What the project's instances take, and those of one user.
async fn usage<'c, E: sqlx::Executor<'c, Database = super::Db>>(
    on: E,
    project: ProjectId,
    user: &str,
) -> Attempt<(InstanceUsage, InstanceUsage)> {
    // What is being moved takes the larger of what it has and of what it would have there, or if it went back.
    const USAGE: &str = "SELECT 'usage' AS name, CAST(COALESCE(SUM(counted), 0) AS BIGINT) AS instances, \
         CAST(COALESCE(SUM(vcpus), 0) AS BIGINT) AS vcpus, CAST(COALESCE(SUM(ram_mib), 0) AS BIGINT) AS ram_mib, \
         CAST(COALESCE(SUM(CASE WHEN user_id = $2 THEN counted ELSE 0 END), 0) AS BIGINT) AS own_instances, \
         CAST(COALESCE(SUM(CASE WHEN user_id = $2 THEN vcpus ELSE 0 END), 0) AS BIGINT) AS own_vcpus, \
         CAST(COALESCE(SUM(CASE WHEN user_id = $2 THEN ram_mib ELSE 0 END), 0) AS BIGINT) AS own_ram_mib \
         FROM (SELECT user_id, 1 AS counted, vcpus, ram_mib FROM instances WHERE project_id = $1 AND state <> 'deleted' \
         UNION ALL SELECT user_id, 0 AS counted, \
         CASE WHEN claims.vcpus > instances.vcpus THEN claims.vcpus - instances.vcpus ELSE 0 END AS vcpus, \
         CASE WHEN claims.ram_mib > instances.ram_mib THEN claims.ram_mib - instances.ram_mib ELSE 0 END AS ram_mib \
         FROM claims JOIN instances ON instances.id = claims.instance_id \
         WHERE role = 'other' AND project_id = $1 AND state <> 'deleted') AS taken";
    let row = sqlx::query(USAGE).bind(project.to_string()).bind(user.to_owned()).fetch_one(on).await?;
    let columns = Columns::new("instances", "name", &row);
    let all = InstanceUsage {
        instances: columns.integer("instances")?,
        vcpus: columns.integer("vcpus")?,
        ram_mib: columns.integer("ram_mib")?,
    };
    let own = InstanceUsage {
        instances: columns.integer("own_instances")?,
        vcpus: columns.integer("own_vcpus")?,
        ram_mib: columns.integer("own_ram_mib")?,
    };
    Ok((all, own))
}

/// The limits that so much more would exceed; empty if it may be. From here on nobody else counts in this
/// project until the transaction ends.
pub(super) async fn check_instance(tx: &mut Tx, asked: &InstanceUsage, scope: &QuotaScope) -> Attempt<Vec<Excess>> {
    lock(tx, format!("project {}", scope.project)).await?;
    let limits = limits(tx.connection(), scope).await?;
    let (all, own) = usage(tx.connection(), scope.project, &scope.user.to_string()).await?;
    let over = |resource: Resource| {
        let of_user = limits.user.get(&resource).and_then(|limit| excess(resource, asked.of(resource), own.of(resource), *limit));
        of_user.or_else(|| excess(resource, asked.of(resource), all.of(resource), limits.project.get(resource)))
    };
    // What is not asked for is not refused, also where there is too much of it already.
    Ok(OF_INSTANCES.into_iter().filter(|resource| asked.of(*resource) > 0).filter_map(over).collect())
}

fn read(row: &Row) -> Attempt<(Resource, i64)> {
    let columns = Columns::new("quota_limits", "resource", row);
    Ok((columns.word("resource", Resource::from_word)?, columns.integer("hard_limit")?))
}
