//! ComputeFilter: the host is enabled and its agent was heard of lately.

use super::Check;
use crate::choice::World;

pub(super) struct Compute<'a> {
    ready: &'a [bool],
    seen_at: &'a [i64],
    not_before: i64,
}

pub(super) fn prepare<'a>(world: &World<'a>) -> Compute<'a> {
    let down_after = i64::try_from(world.down_after.as_micros()).unwrap_or(i64::MAX);
    // A host that was never heard of has the least time there is, which is before any.
    let not_before = world.now.as_micros().saturating_sub(down_after).max(i64::MIN + 1);
    Compute { ready: &world.snapshot.ready, seen_at: &world.snapshot.seen_at, not_before }
}

impl Check for Compute<'_> {
    fn passes(&self, row: usize) -> bool {
        self.ready[row] & (self.seen_at[row] >= self.not_before)
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::clock::Timestamp;
    use cuttle_model::host::{Administrative, Host};

    use crate::HostInput;
    use crate::filters::{Filter, passes};
    use crate::test_hosts::{flavor, host, request, with_world};

    fn is_taken(host: &Host, now_seconds: i64) -> bool {
        let flavor = flavor(1, 1);
        with_world(vec![HostInput::new(host.clone(), Default::default())], &[], |world| {
            let world = crate::World { now: Timestamp::from_micros(now_seconds * 1_000_000), ..*world };
            passes(Filter::Compute, &world, &request(&flavor), 0)
        })
    }

    #[test]
    fn enabled_and_heard_of() {
        let good = host("a", 1);
        assert!(is_taken(&good, 10));
        assert!(!is_taken(&good, 11), "not heard of for 11 s");
        let disabled = Host { administrative: Administrative::Disabled { reason: None }, ..good.clone() };
        assert!(!is_taken(&disabled, 0));
        assert!(!is_taken(&Host { last_seen_at: None, ..good.clone() }, 0));
        assert!(!is_taken(&Host { resources: None, ..good }, 0));
    }
}
