//! `cuttle-compute`: reads its configuration, starts the log, runs the agent until SIGTERM or SIGINT.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use cuttle_compute::agent;
use cuttle_compute::config::{Config, LogConfig, LogFormat};
use cuttle_model::clock::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The agent of a Cuttle compute host.
#[derive(Debug, Parser)]
#[command(name = "cuttle-compute", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, default_value = "/etc/cuttle/compute.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cuttle-compute: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(&arguments.config)?;
    start_log(&config.log)?;
    // Ceph's client has a dozen threads of its own, which measure storage.
    cuttle_rbd_backend::keep_heap_small();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(&stop)?;
        tracing::info!(host = %config.host, version = env!("CARGO_PKG_VERSION"), "cuttle-compute starts");
        agent::run(config, Arc::new(SystemClock), stop).await?;
        Ok(())
    });
    // A thread that waits for a hung disk or libvirt must not hold up the end.
    runtime.shutdown_background();
    ended
}

fn start_log(log: &LogConfig) -> Result<(), Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}
