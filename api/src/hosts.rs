//! `cuttle-api host …`: what must work on a control node though the API does not run.
//!
//! The host's cephx identity is made at its agent's first hello, so this needs the database and the
//! authority's key alone.

use cuttle_compute_protocol::JoinToken;
use cuttle_model::clock::SystemClock;
use cuttle_model::host::HostName;
use cuttle_model::ids::RandomIds;
use cuttle_operations::HostError;
use cuttle_operations::join::Registry;

use crate::authority::{Authority, AuthorityError};
use crate::config::Config;
use crate::serve::{StartError, connect_database};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("the database's schema could not be brought up to date")]
    Schema(#[source] cuttle_database::Error),
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Which hosts are given a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One that is new, or has not joined yet.
    New,
    /// One that exists: it joins anew.
    Known,
}

/// Makes a token with which the host may join. It is kept nowhere.
pub async fn token(config: &Config, name: &HostName, which: Which) -> Result<JoinToken, AddError> {
    let authority = Authority::open(&config.agents)?;
    let database = connect_database(&config.database).await?;
    database.migrate().await.map_err(AddError::Schema)?;
    let registry = Registry { database: &database, clock: &SystemClock, ids: &RandomIds };
    let (sha256, lifetime) = (authority.sha256(), authority.join_token_lifetime);
    let issued = match which {
        Which::New => registry.add(name, sha256, lifetime).await?,
        Which::Known => registry.rejoin(name, sha256, lifetime).await?,
    };
    Ok(issued.token)
}
