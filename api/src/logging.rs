//! Logs, to the standard error. What is secret is a type that does not show itself, so nothing is
//! filtered here.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Begins to log. A filter that is not understood is replaced by `info`, and that is said.
pub fn start(log: &Log) {
    let (filter, wrong) = match EnvFilter::try_new(&log.filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => registry.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    };
    if let (Ok(()), Some(error)) = (started, wrong) {
        tracing::warn!(%error, filter = log.filter, "the log filter is not understood; 'info' is used");
    }
}
