//! Quotas: how much a project, or a user in it, may have, and how much of that is used.

pub mod change;
pub mod class;
pub mod limits;
pub mod room;
pub mod schema;
pub mod show;

use cuttle_database::{InstanceUsage, Limits, QuotaScope};
use cuttle_model::ids::{ProjectId, UserId};
use cuttle_model::quota::Resource;
use serde_json::{Map, Value};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/limits", Access::Reader, limits::handle)
        .get("/os-quota-sets/{id}", Access::Reader, show::brief)
        .put("/os-quota-sets/{id}", Access::Admin, change::update)
        .takes(&schema::UPDATE)
        .delete("/os-quota-sets/{id}", Access::Admin, change::reset)
        .get("/os-quota-sets/{id}/detail", Access::Reader, show::detail)
        .get("/os-quota-sets/{id}/defaults", Access::Reader, show::defaults)
        .get("/os-quota-class-sets/{id}", Access::Admin, class::show)
        .put("/os-quota-class-sets/{id}", Access::Admin, class::update)
        .takes(&schema::UPDATE_CLASS)
}

/// Whose quota the caller's requests are counted against.
pub fn scope(shared: &Shared, caller: &Caller) -> Result<QuotaScope, ApiError> {
    Ok(QuotaScope { project: caller.project_id()?, user: caller.grant.user.id, configured: shared.quota })
}

/// The limits that hold for the caller.
pub async fn of_caller(shared: &Shared, caller: &Caller) -> Result<Limits, ApiError> {
    Ok(shared.database.get_quota(&scope(shared, caller)?).await?)
}

/// The resources that a quota set has at a version: those of networks went with 2.36, those of files
/// with 2.57.
fn resources(version: Microversion) -> impl Iterator<Item = Resource> {
    use Resource as R;
    let gone = move |resource: &Resource| match resource {
        R::FixedIps | R::FloatingIps | R::SecurityGroups | R::SecurityGroupRules => version >= Microversion(36),
        R::InjectedFiles | R::InjectedFileContentBytes | R::InjectedFilePathBytes => version >= Microversion(57),
        _ => false,
    };
    Resource::ALL.into_iter().filter(move |resource| !gone(resource))
}

/// A quota set, with what `show` says of each resource.
fn set(id: Option<&str>, resources: impl Iterator<Item = Resource>, show: impl Fn(Resource) -> Value) -> Map<String, Value> {
    let mut shown: Map<String, Value> = resources.map(|resource| (resource.as_str().to_owned(), show(resource))).collect();
    if let Some(id) = id {
        shown.insert("id".into(), id.into());
    }
    shown
}

/// A project and, with `user_id` in the query, a user in it, as a quota set's address names them.
struct Subject {
    project: ProjectId,
    user: Option<UserId>,
}

impl Subject {
    /// A project that exists.
    async fn read(shared: &Shared, project: &str, query: &Pairs) -> Result<Self, ApiError> {
        let unknown =
            || ApiError::BadRequest(format!("Project ID {} is not a valid project.", crate::compute::links::shown(project)));
        let id = project.parse().map_err(|_| unknown())?;
        match shared.database.get_project(id).await? {
            Some(_) => Ok(Self { project: id, user: user(query)? }),
            None => Err(unknown()),
        }
    }

    async fn limits(&self, shared: &Shared) -> Result<Limits, ApiError> {
        // No user has this id, so none of its limits are found.
        let user = self.user.unwrap_or(UserId::from_uuid(uuid::Uuid::nil()));
        let scope = QuotaScope { project: self.project, user, configured: shared.quota };
        Ok(shared.database.get_quota(&scope).await?)
    }

    async fn usage(&self, shared: &Shared) -> Result<InstanceUsage, ApiError> {
        Ok(shared.database.instance_usage(self.project, self.user).await?)
    }
}

fn user(query: &Pairs) -> Result<Option<UserId>, ApiError> {
    let Some(text) = query.all("user_id").next() else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| ApiError::invalid("user_id", crate::compute::links::shown(text), "It is not the id of a user."))
}

/// Refuses everybody but the project's own and administrators.
fn may_see(caller: &Caller, project: &str, what: &str) -> Result<(), ApiError> {
    let own = caller.project_id()?;
    match caller.is_admin() || project.parse() == Ok(own) {
        true => Ok(()),
        false => Err(ApiError::Forbidden(format!("Policy doesn't allow os_compute_api:os-quota-sets:{what} to be performed."))),
    }
}

fn check_query(version: Microversion, query: &Pairs) -> Result<(), ApiError> {
    match version >= Microversion(75) {
        true => query.refuse_unknown(&["user_id"]),
        false => Ok(()),
    }
}
