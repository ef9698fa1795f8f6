//! The control plane's binary: serves the APIs, prepares a cloud, lets hosts join.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cuttle_api::config::Config;
use cuttle_api::hosts::Which;
use cuttle_api::{error, hosts, init, logging, serve};
use cuttle_model::host::HostName;

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
    /// Let a new host join; prints a token that works once, and nothing else, on the standard output.
    Add(HostArguments),
    /// Let a host join anew: its token locks the host's certificates out as soon as it is used.
    Rejoin(HostArguments),
}

#[derive(clap::Args)]
struct HostArguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The host's name: lower-case letters, digits, dots and dashes.
    name: HostName,
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
        Command::Serve(file)
        | Command::Init(file)
        | Command::Host(HostCommand::Add(HostArguments { file, .. }) | HostCommand::Rejoin(HostArguments { file, .. })) => file,
    };
    let config = Config::read(&file.config)?;
    logging::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(_) => serve::run(config).await?,
            Command::Init(_) => init::run(&config).await?,
            Command::Host(HostCommand::Add(HostArguments { name, .. })) => {
                println!("{}", hosts::token(&config, &name, Which::New).await?.expose());
            }
            Command::Host(HostCommand::Rejoin(HostArguments { name, .. })) => {
                println!("{}", hosts::token(&config, &name, Which::Known).await?.expose());
            }
        }
        Ok(())
    })
}
