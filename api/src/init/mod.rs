//! `cuttle-api init`: makes what a control node needs before it can serve.
//!
//! Safe to run again, and on several nodes at once: each part looks first, makes what is missing in a
//! way that only one can win, and says what it did.

pub mod admin;
pub mod ceph_user;
pub mod certificates;
pub mod clouds;
mod files;
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
    #[error("{path} names no Ceph user: a section such as [client.admin] is expected")]
    NoCephUser { path: PathBuf },
    #[error("[ceph] keyring is not set: there is no file for the key of {client}")]
    NoKeyring { client: String },
    #[error("the Ceph user {client} could not be made")]
    CephUser {
        client: String,
        #[source]
        source: cuttle_rbd_backend::Error,
    },
    #[error("{path} was not written by this program; name another file, or move it away")]
    ForeignFile { path: PathBuf },
    #[error("clouds.yaml needs the administrator's password, and there is no {path}")]
    PasswordUnknown { path: PathBuf },
}

/// What `init` does only if it is asked to.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Make the control plane's Ceph user with this keyring's rights, which is read once and not kept.
    #[arg(long, value_name = "FILE")]
    pub ceph_admin_keyring: Option<PathBuf>,
    /// Write a clouds.yaml for the administrator to this file, for its owner alone.
    #[arg(long, value_name = "FILE")]
    pub clouds_yaml: Option<PathBuf>,
    /// The cloud's name in it.
    #[arg(long, value_name = "NAME", default_value = "cuttle")]
    pub cloud: String,
}

/// Makes all of it; prints a line for each thing.
pub async fn run(config: &Config, options: &Options) -> Result<(), InitError> {
    let database = connect_database(&config.database).await?;
    database.migrate().await.map_err(InitError::Schema)?;
    println!("database: the schema is up to date");
    for line in certificates::make(&config.agents)? {
        println!("certificates: {line}");
    }
    let (password, done) = admin::make(&database, &config.identity).await?;
    println!("administrator: {done}");
    if let Some(path) = &options.clouds_yaml {
        println!("clouds.yaml: {}", clouds::write(path, &options.cloud, config, password.as_ref())?);
    }
    if let Some(keyring) = &options.ceph_admin_keyring {
        println!("ceph: {}", ceph_user::make(keyring, config).await?);
    }
    let ceph = connect_ceph(&config.ceph).await?;
    for line in pools::make(&ceph, &config.operations, config.ceph.pool_pg_num).await? {
        println!("ceph: {line}");
    }
    Ok(())
}
