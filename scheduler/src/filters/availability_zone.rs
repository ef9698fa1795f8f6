//! AvailabilityZoneFilter: the host is in the zone that was asked for.

use super::Classes;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<Classes<'a>> {
    let wanted = request.zone.or(world.settings.default_schedule_zone.as_deref())?;
    Classes::of(world.snapshot, |class| class.zone == wanted)
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{aggregate, flavor, input, lets_pass, request};

    #[test]
    fn the_zone_is_the_aggregates_or_the_default() {
        let flavor = flavor(1, 1);
        let zone = [aggregate("a", &[("availability_zone", "east")]), aggregate("b", &[("ssd", "true")])];
        let wants = |zone| Request { zone: Some(zone), ..request(&flavor) };
        assert!(lets_pass(Filter::AvailabilityZone, input("a", 1), &zone, &wants("east")));
        assert!(!lets_pass(Filter::AvailabilityZone, input("a", 1), &zone, &wants("nova")));
        assert!(lets_pass(Filter::AvailabilityZone, input("a", 1), &[], &wants("nova")));
        assert!(!lets_pass(Filter::AvailabilityZone, input("a", 1), &[], &wants("east")));
        assert!(lets_pass(Filter::AvailabilityZone, input("a", 1), &zone, &request(&flavor)));
    }
}
