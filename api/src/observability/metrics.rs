//! Numbers in Prometheus' format: what has happened is counted where it happens, what is now is read
//! when it is asked for.
//!
//! Always true: a label has few values, all of them the program's own words (a route's template, never a
//! path; a state, never an id) or the names of hosts. So no client can make the numbers grow.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use cuttle_database::Count;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use tokio_util::sync::CancellationToken;

use crate::compute::hosts;
use crate::shared::Shared;

/// Upper ends of histograms' classes, in seconds: requests take milliseconds, operations minutes.
const SECONDS: [f64; 16] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];
/// How often what was measured is put into its classes.
const UPKEEP: Duration = Duration::from_secs(5);

/// A gauge that was not set for so long is not shown any more.
const SILENCE: Duration = Duration::from_secs(60);

/// Begins to count, in this whole process.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
    // What a host's agent told goes when it tells nothing any more.
    let recorder = recorder.idle_timeout(MetricKindMask::GAUGE, Some(SILENCE));
    let handle = recorder.install_recorder()?;
    metrics::describe_histogram!("cuttle_http_request_seconds", "Time from a request to the head of its answer");
    metrics::describe_counter!("cuttle_http_requests_total", "Requests answered");
    metrics::describe_histogram!("cuttle_operation_seconds", "Time from an operation's begin to its end");
    metrics::describe_counter!("cuttle_operations_total", "Operations that ended on this node");
    metrics::describe_histogram!("cuttle_ceph_call_seconds", "Time that calls to Ceph took");
    metrics::describe_counter!("cuttle_ceph_call_errors_total", "Calls to Ceph that failed");
    metrics::describe_histogram!("cuttle_locality_refresh_seconds", "Time to read which OSDs serve the pools");
    metrics::describe_gauge!("cuttle_host_guests", "Guests that have a process, as the host's agent counts");
    metrics::describe_gauge!("cuttle_host_commands", "Commands that the host's agent carries out or that wait there");
    metrics::describe_gauge!("cuttle_host_reports", "Reports of the host's agent that were not taken yet");
    metrics::describe_gauge!("cuttle_host_agent_resident_bytes", "Memory of the host's agent");
    metrics::describe_gauge!("cuttle_host_libvirt_seconds", "Time that the agent's last call of libvirt took");
    metrics::describe_gauge!("cuttle_host_clock_ahead_seconds", "How far the host's clock is ahead of this node's");
    metrics::describe_counter!("cuttle_sign_ins_total", "Attempts to sign in");
    Ok(handle)
}

/// Keeps memory bounded where nobody asks for the numbers.
pub async fn upkeep(handle: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

/// A request was answered. `route` is its template.
pub fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = method_label(method);
    let route = route.to_owned();
    metrics::histogram!("cuttle_http_request_seconds", "method" => method, "route" => route.clone()).record(took);
    let status = status.as_u16().to_string();
    metrics::counter!("cuttle_http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
}

/// Clients may make methods up.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What is now, as text. What cannot be read is left out, and said in the log.
pub async fn present(shared: &Shared) -> String {
    let mut text = String::new();
    match shared.database.counts().await {
        Ok(counts) => write_counts(&mut text, &counts),
        Err(error) => tracing::warn!(%error, "the database could not be counted for metrics"),
    }
    match hosts::by_id(shared).await {
        Ok(known) => {
            let up = known.values().filter(|host| hosts::is_up(shared, host)).count();
            let down = known.len() - up;
            gauge(
                &mut text,
                "cuttle_hosts",
                "Compute hosts by whether they were heard of",
                &[("state=\"up\"".into(), up as u64), ("state=\"down\"".into(), down as u64)],
            );
        }
        Err(error) => tracing::warn!(%error, "the hosts could not be read for metrics"),
    }
    let pools = shared.database.connections();
    let of = |state: &str, number: fn(&cuttle_database::PoolUse) -> u32| {
        let line =
            move |pool: &cuttle_database::PoolUse| (format!("pool=\"{}\",state=\"{state}\"", pool.name), u64::from(number(pool)));
        pools.iter().map(line).collect::<Vec<_>>()
    };
    let lines = [of("open", |pool| pool.open), of("idle", |pool| pool.idle)].concat();
    gauge(&mut text, "cuttle_database_connections", "Connections of this process to the database", &lines);
    gauge(
        &mut text,
        "cuttle_tokens_remembered",
        "Tokens in this process's memory",
        &[(String::new(), shared.tokens().len() as u64)],
    );
    text
}

fn write_counts(text: &mut String, counts: &[Count]) {
    let kinds = [
        ("storage", "cuttle_hosts_storage", "Compute hosts by how well they reach storage"),
        ("instance", "cuttle_instances", "Instances by state"),
        ("image", "cuttle_images", "Images by status"),
        ("operation", "cuttle_operations_open", "Operations that have not ended, by status"),
        ("command", "cuttle_commands_open", "Commands that hosts have not answered"),
    ];
    for (what, name, help) in kinds {
        let of_kind = counts.iter().filter(|count| count.what == what);
        let lines: Vec<_> = of_kind.map(|count| (format!("state=\"{}\"", count.state), count.number)).collect();
        gauge(text, name, help, &lines);
    }
}

/// One family of gauges; its lines are labels and value.
fn gauge(text: &mut String, name: &str, help: &str, lines: &[(String, u64)]) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in lines {
        let _ = match labels.is_empty() {
            true => writeln!(text, "{name} {value}"),
            false => writeln!(text, "{name}{{{labels}}} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_written_as_prometheus_reads_them() {
        let mut text = String::new();
        let count = |state: &str, number| Count { what: "instance".into(), state: state.into(), number };
        write_counts(&mut text, &[count("active", 3), count("error", 1)]);
        assert!(text.contains("# TYPE cuttle_instances gauge\ncuttle_instances{state=\"active\"} 3\n"), "{text}");
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
