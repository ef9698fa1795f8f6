//! The control plane's binary: serves the APIs, prepares a cloud, lets hosts join.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cuttle_api::config::Config;
use cuttle_api::{error, hosts, init, logging, serve};
use cuttle_model::host::HostName;
use secrecy::ExposeSecret;

/// Cuttle's control plane.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs until SIGTERM.
    Serve(ConfigFile),
    /// Make what is missing: schema, certificates, administrator, pools. Safe to run again.
    Init(ConfigFile),
    /// Work on hosts.
    #[command(subcommand)]
    Host(HostCommand),
}

#[derive(Subcommand)]
enum HostCommand {
    /// Let a host join; prints its token, and nothing else, on the standard output.
    Add {
        #[command(flatten)]
        file: ConfigFile,
        /// The host's name: lower-case letters, digits, dots and dashes.
        name: HostName,
    },
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration.
    #[arg(long, default_value = "/etc/cuttle/api.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cuttle-api: {}", error::chain(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let file = match &command {
        Command::Serve(file) | Command::Init(file) | Command::Host(HostCommand::Add { file, .. }) => file,
    };
    let config = Config::read(&file.config)?;
    logging::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(_) => serve::run(config).await?,
            Command::Init(_) => init::run(&config).await?,
            Command::Host(HostCommand::Add { name, .. }) => {
                let token = hosts::add(&config, name).await?;
                println!("{}", token.expose_secret());
            }
        }
        Ok(())
    })
}
