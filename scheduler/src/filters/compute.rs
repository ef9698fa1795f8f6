//! ComputeFilter: the host is enabled and its agent was heard of lately.

use cuttle_model::host::Administrative;

use super::Verdict;
use crate::choice::{HostView, World};

pub(super) fn check(view: &HostView<'_>, world: &World<'_>) -> Verdict {
    let enabled = view.host.administrative == Administrative::Enabled;
    let heard = view.host.last_seen_at.is_some_and(|seen| world.now.since(seen) <= world.down_after);
    Verdict::when(enabled && heard && view.host.resources.is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cuttle_model::capacity::Usage;
    use cuttle_model::clock::Timestamp;
    use cuttle_model::host::Host;

    use super::*;
    use crate::test_hosts::host;

    fn verdict(host: &Host, now_seconds: i64) -> Verdict {
        let now = Timestamp::from_micros(now_seconds * 1_000_000);
        let world = World { hosts: &[], now, down_after: Duration::from_secs(10), pool: None };
        check(&HostView { host, usage: Usage::default() }, &world)
    }

    #[test]
    fn enabled_and_heard_of() {
        let good = host("a", 1);
        assert_eq!(verdict(&good, 10), Verdict::Pass);
        assert_ne!(verdict(&good, 11), Verdict::Pass, "not heard of for 11 s");
        let disabled = Host { administrative: Administrative::Disabled { reason: None }, ..good.clone() };
        assert_ne!(verdict(&disabled, 0), Verdict::Pass);
        assert_ne!(verdict(&Host { last_seen_at: None, ..good.clone() }, 0), Verdict::Pass);
        assert_ne!(verdict(&Host { resources: None, ..good }, 0), Verdict::Pass);
    }
}
