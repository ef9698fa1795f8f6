//! The control plane's binary: serves the APIs, prepares a cloud, lets hosts join.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cuttle_api::config::Config;
use cuttle_api::doctor::Status;
use cuttle_api::hosts::Which;
use cuttle_api::{doctor, error, hosts, init, logging, serve};
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
    /// Make what is missing: schema, certificates, administrator, Ceph's user and pools. Safe to run again.
    Init {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        options: init::Options,
    },
    /// Look at everything that this control node depends on, whether it serves or not. Changes nothing.
    Doctor {
        #[command(flatten)]
        file: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
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
    cuttle_rbd_backend::keep_heap_small();
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("cuttle-api: {}", error::chain(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let file = match &command {
        Command::Doctor { file, json } => return doctor(&file.config, *json),
        Command::Serve(file)
        | Command::Init { file, .. }
        | Command::Host(HostCommand::Add(HostArguments { file, .. }) | HostCommand::Rejoin(HostArguments { file, .. })) => file,
    };
    let config = Config::read(&file.config)?;
    logging::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(_) => serve::run(config).await?,
            Command::Init { options, .. } => init::run(&config, &options).await?,
            // It was seen to above: its configuration need not be readable.
            Command::Doctor { .. } => {}
            Command::Host(HostCommand::Add(HostArguments { name, .. })) => {
                println!("{}", hosts::token(&config, &name, Which::New).await?.expose());
            }
            Command::Host(HostCommand::Rejoin(HostArguments { name, .. })) => {
                println!("{}", hosts::token(&config, &name, Which::Known).await?.expose());
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Prints what is wrong and what to do about it; fails if something is broken.
fn doctor(config: &Path, as_json: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let checks = runtime.block_on(doctor::examine_node(config));
    match as_json {
        true => println!("{:#}", doctor::report::view(&checks)),
        false => print!("{}", doctor::report::text(&checks)),
    }
    // A call to Ceph that hangs would keep the process.
    runtime.shutdown_background();
    Ok(if doctor::report::worst(&checks) == Status::Broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
