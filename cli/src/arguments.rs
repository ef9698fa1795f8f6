//! The command line. The reference in `docs/cli.md` is made from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::host::HostCommand;
use crate::instance::InstanceCommand;
use crate::operation::OperationCommand;
use crate::placement::PlacementCommand;
use crate::reconcile::ReconcileArguments;

/// The operator's command for a Cuttle cloud.
#[derive(Debug, Parser)]
#[command(name = "cuttle", version, about, arg_required_else_help = true, propagate_version = false)]
#[command(after_help = "The cloud and the user come from clouds.yaml (--os-cloud, OS_CLOUD) or from OS_* variables.")]
pub struct Arguments {
    #[command(flatten)]
    pub cloud: CloudOptions,

    /// Print JSON instead of tables and sentences.
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub command: Command,
}

/// Which cloud, and how it is reached.
#[derive(Debug, Clone, Default, Args)]
pub struct CloudOptions {
    /// The cloud's name in clouds.yaml; otherwise OS_CLOUD.
    #[arg(long, global = true, value_name = "NAME")]
    pub os_cloud: Option<String>,

    /// The region of the endpoints; otherwise OS_REGION_NAME.
    #[arg(long, global = true, value_name = "NAME")]
    pub os_region_name: Option<String>,

    /// Certificates (PEM) of the authorities to trust; otherwise OS_CACERT, otherwise the system's.
    #[arg(long, global = true, value_name = "FILE")]
    pub os_cacert: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compute hosts.
    #[command(subcommand)]
    Host(HostCommand),

    /// Instances of all projects.
    #[command(subcommand)]
    Instance(InstanceCommand),

    /// Where instances would go.
    #[command(subcommand)]
    Placement(PlacementCommand),

    /// What is being done, and what was.
    #[command(subcommand)]
    Operation(OperationCommand),

    /// Look at everything that the cloud depends on: what is wrong, and what to do about it.
    Doctor,

    /// Compare the database with Ceph and with the hosts, and say what does not fit.
    Reconcile(ReconcileArguments),

    /// Print a completion script for a shell.
    Completions { shell: Shell },
}
