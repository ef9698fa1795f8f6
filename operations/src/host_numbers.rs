//! What agents tell of themselves: numbers, shown among this control node's own, and their clocks.
//!
//! An agent listens nowhere; so what it counts comes with its beats, and the control node that took the beat
//! shows it. All control nodes together show every host once, and hosts that fall silent go by themselves.

use cuttle_compute_protocol::Beat;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{AgentFacts, Host, HostResources};

use crate::{Control, HostError};

/// A clock that has moved by less is not written down again: messages take some time, too.
const NOTEWORTHY_MS: u64 = 1000;

/// How far the clock of whoever sent this is ahead; zero where it does not say.
pub(crate) fn ahead_ms(sent_at: Option<Timestamp>, now: Timestamp) -> i64 {
    sent_at.map_or(0, |sent_at| sent_at.as_micros().saturating_sub(now.as_micros()) / 1000)
}

/// Shows a beat's numbers.
#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
pub(crate) fn show(host: &Host, beat: &Beat, now: Timestamp) {
    let gauge = |name: &'static str, value: f64| metrics::gauge!(name, "host" => host.name.to_string()).set(value);
    let numbers = beat.numbers;
    gauge("cuttle_host_guests", numbers.guests as f64);
    gauge("cuttle_host_commands", numbers.commands as f64);
    gauge("cuttle_host_reports", numbers.reports as f64);
    gauge("cuttle_host_agent_resident_bytes", numbers.resident_bytes as f64);
    gauge("cuttle_host_libvirt_seconds", beat.libvirt_ms as f64 / 1000.0);
    gauge("cuttle_host_clock_ahead_seconds", ahead_ms(beat.sent_at, now) as f64 / 1000.0);
}

/// Writes down how far the host's clock is ahead, if that has changed.
pub(crate) async fn note_clock(control: &Control, host: &Host, beat: &Beat, now: Timestamp) -> Result<(), HostError> {
    let ahead = ahead_ms(beat.sent_at, now);
    let (Some(resources), Some(boot_id)) = (&host.resources, &host.boot_id) else { return Ok(()) };
    if ahead.abs_diff(resources.agent.clock_ahead_ms) < NOTEWORTHY_MS {
        return Ok(());
    }
    tracing::info!(host = %host.name, ahead_ms = ahead, before_ms = resources.agent.clock_ahead_ms, "the host's clock has moved");
    let agent = AgentFacts { clock_ahead_ms: ahead, ..resources.agent.clone() };
    let resources = HostResources { agent, ..resources.clone() };
    Ok(control.database().record_hello(host.id, boot_id, &resources, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_or_behind() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!([Some(at(12)), Some(at(7)), None].map(|sent| ahead_ms(sent, at(10))), [2000, -3000, 0]);
    }
}
