//! `cuttle-api init`: makes what a control node needs before it can serve.
//!
//! Safe to run again, and on several nodes at once: each part looks first, makes what is missing in a
//! way that only one can win, and says what it did.

pub mod admin;
pub mod certificates;
pub mod pools;

use std::path::PathBuf;

use crate::config::Config;
use crate::serve::{StartError, connect_ceph, connect_database};

/// Why nothing more was made. What was made before stays; running `init` again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the database's schema could not be brought up to date")]
    Schema(#[source] cuttle_database::Error),
    #[error("the Ceph pool {pool} could not be made")]
    Pool {
        pool: String,
        #[source]
        source: cuttle_rbd_backend::Error,
    },
    #[error("{path} could not be {done}")]
    File {
        path: PathBuf,
        done: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    #[error("{path} holds no password: its first line is empty")]
    NoPassword { path: PathBuf },
    #[error("the administrator's password could not be hashed: {0}")]
    Hash(String),
    #[error("the administrator could not be recorded")]
    Admin(#[source] cuttle_database::Error),
}

/// Makes all of it; prints a line for each thing.
pub async fn run(config: &Config) -> Result<(), InitError> {
    let database = connect_database(&config.database).await?;
    database.migrate().await.map_err(InitError::Schema)?;
    println!("database: the schema is up to date");
    for line in certificates::make(&config.agents)? {
        println!("certificates: {line}");
    }
    println!("administrator: {}", admin::make(&database, &config.identity).await?);
    let ceph = connect_ceph(&config.ceph).await?;
    for line in pools::make(&ceph, &config.operations, config.ceph.pool_pg_num).await? {
        println!("ceph: {line}");
    }
    Ok(())
}
