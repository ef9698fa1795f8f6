//! `cuttle-api host add`: a host may join.
//!
//! The host's cephx identity is made at its agent's first hello, so this needs the database alone.

use cuttle_database::Inserted;
use cuttle_model::clock::{Clock, SystemClock};
use cuttle_model::host::{Administrative, Host, HostName};
use cuttle_model::ids::{HostId, RandomIds};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::serve::{StartError, connect_database};
use crate::web::caller::token_sha256;

/// Why the host was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the database's schema could not be brought up to date")]
    Schema(#[source] cuttle_database::Error),
    #[error("the host {0} could not be recorded")]
    Record(HostName, #[source] cuttle_database::Error),
    #[error("a host named {0} exists")]
    Exists(HostName),
}

/// Adds a host and answers its token, of which only the SHA-256 is kept.
pub async fn add(config: &Config, name: HostName) -> Result<SecretString, AddError> {
    let database = connect_database(&config.database).await?;
    database.migrate().await.map_err(AddError::Schema)?;
    let token = SecretString::from(hex(&rand::random::<[u8; 32]>()));
    let host = Host {
        id: HostId::new(&RandomIds),
        name: name.clone(),
        administrative: Administrative::Enabled,
        resources: None,
        boot_id: None,
        last_seen_at: None,
        ceph_generation: 1,
        created_at: SystemClock.now(),
    };
    let inserted = database.insert_host(&host, &token_sha256(token.expose_secret())).await;
    match inserted.map_err(|source| AddError::Record(name.clone(), source))? {
        Inserted::Inserted => Ok(token),
        Inserted::SameId | Inserted::SameName => Err(AddError::Exists(name)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
