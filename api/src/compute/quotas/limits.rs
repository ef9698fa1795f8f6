//! `GET /limits`: the caller's quota and what is used of it, under older names.

use axum::Json;
use axum::extract::State;
use cuttle_database::QuotaScope;
use cuttle_model::quota::Resource;
use serde_json::{Map, Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::quotas;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::Pairs;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["tenant_id"])?;
    }
    let mut scope = quotas::scope(&shared, &caller)?;
    if let Some(text) = query.all("tenant_id").next() {
        let project = text
            .parse()
            .map_err(|_| ApiError::invalid("tenant_id", crate::compute::links::shown(text), "It is not the id of a project."))?;
        if project != scope.project {
            if !caller.is_admin() {
                let rule = "os_compute_api:limits:other_project";
                return Err(ApiError::Forbidden(format!("Policy doesn't allow {rule} to be performed.")));
            }
            scope = QuotaScope { project, ..scope };
        }
    }
    let limits = shared.database.get_quota(&scope).await?.project;
    let usage = shared.database.instance_usage(scope.project, None).await?;
    let mut absolute = Map::new();
    let mut add = |name: &str, amount: i64| absolute.insert(name.into(), json!(amount));
    for (name, resource) in names(version) {
        add(name, limits.get(resource));
    }
    add("totalInstancesUsed", usage.instances);
    add("totalCoresUsed", usage.vcpus);
    add("totalRAMUsed", usage.ram_mib);
    add("totalServerGroupsUsed", 0);
    if version < Microversion(36) {
        add("totalFloatingIpsUsed", 0);
        add("totalSecurityGroupsUsed", 0);
    }
    Ok(Json(json!({ "limits": { "rate": [], "absolute": absolute } })))
}

/// The limits' names here; some went with what they limit.
fn names(version: Microversion) -> impl Iterator<Item = (&'static str, Resource)> {
    use Resource as R;
    let all = [
        ("maxTotalInstances", R::Instances, u16::MAX),
        ("maxTotalCores", R::Cores, u16::MAX),
        ("maxTotalRAMSize", R::Ram, u16::MAX),
        ("maxTotalKeypairs", R::KeyPairs, u16::MAX),
        ("maxServerMeta", R::MetadataItems, u16::MAX),
        ("maxServerGroups", R::ServerGroups, u16::MAX),
        ("maxServerGroupMembers", R::ServerGroupMembers, u16::MAX),
        ("maxImageMeta", R::MetadataItems, 39),
        ("maxPersonality", R::InjectedFiles, 57),
        ("maxPersonalitySize", R::InjectedFileContentBytes, 57),
        ("maxSecurityGroups", R::SecurityGroups, 36),
        ("maxSecurityGroupRules", R::SecurityGroupRules, 36),
        ("maxTotalFloatingIps", R::FloatingIps, 36),
    ];
    all.into_iter().filter(move |(_, _, until)| version < Microversion(*until)).map(|(name, resource, _)| (name, resource))
}
