//! Keypairs: each user's own. Administrators may name another user from 2.10 on.

pub mod create;
pub mod delete;
pub mod key;
pub mod list;
pub mod schema;
pub mod show;
pub mod view;

use cuttle_model::ids::UserId;
use cuttle_model::keypair::Keypair;

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/os-keypairs", Access::Reader, list::handle)
        .post("/os-keypairs", Access::Reader, create::handle)
        .takes(&schema::CREATE)
        .get("/os-keypairs/{id}", Access::Reader, show::handle)
        .delete("/os-keypairs/{id}", Access::Reader, delete::handle)
}

/// The keypair with which a server of the caller is made.
pub async fn of_server(shared: &Shared, caller: &Caller, name: &str) -> Result<Keypair, ApiError> {
    let found = shared.database.get_keypair(caller.grant.user.id, name).await?;
    found.map(|(_, keypair)| keypair).ok_or_else(|| ApiError::BadRequest("Invalid key_name provided.".into()))
}

/// Whose keypairs a query is about; `None`: of a user that cannot exist.
fn user(caller: &Caller, version: Microversion, query: &Pairs, what: &str) -> Result<Option<UserId>, ApiError> {
    // Given several times, the first counts, as in Nova.
    let asked = query.all("user_id").next().filter(|_| version >= Microversion(10));
    named_user(caller, asked, what)
}

/// As [`user`], of a user that was named or not.
fn named_user(caller: &Caller, named: Option<&str>, what: &str) -> Result<Option<UserId>, ApiError> {
    let own = caller.grant.user.id;
    let Some(text) = named else { return Ok(Some(own)) };
    let user = text.parse().ok();
    match user == Some(own) || caller.is_admin() {
        true => Ok(user),
        false => Err(ApiError::Forbidden(format!("Policy doesn't allow os_compute_api:os-keypairs:{what} to be performed."))),
    }
}

fn not_found(name: &str, user: &str) -> ApiError {
    ApiError::NotFound(format!("Keypair {name} not found for user {user}"))
}

/// A keypair's name in a path: any text.
#[derive(Debug, Clone)]
pub struct Name(pub String);

impl std::str::FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.chars().count() <= 255 { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}
