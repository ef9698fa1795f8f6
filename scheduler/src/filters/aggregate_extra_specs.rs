//! AggregateInstanceExtraSpecsFilter: the metadata of the host's aggregates is what the flavor's extra
//! specs ask for: those in the scope `aggregate_instance_extra_specs`, and those without any scope.

use super::Classes;
use crate::choice::World;
use crate::operators::satisfies;
use crate::request::Request;

const SCOPE: &str = "aggregate_instance_extra_specs";

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<Classes<'a>> {
    let wanted = || {
        request.flavor.extra_specs.iter().filter_map(|(key, value)| match key.split_once(':') {
            None => Some((key.as_str(), value)),
            Some((SCOPE, key)) => Some((key, value)),
            Some(_) => None,
        })
    };
    wanted().next()?;
    Classes::of(world.snapshot, |class| {
        let has = |key: &str, wanted: &str| {
            class.metadata.get(key).is_some_and(|values| values.iter().any(|value| satisfies(value, wanted)))
        };
        wanted().all(|(key, wanted)| has(key, wanted))
    })
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::test_hosts::{aggregate, flavor, input, lets_pass, request, texts};

    #[test]
    fn scoped_and_unscoped_specs_count_and_other_scopes_do_not() {
        let fast = [aggregate("a", &[("ssd", "true"), ("class", "gold,silver")]), aggregate("b", &[("iops", "9000")])];
        let mut flavor = flavor(1, 1);
        for (key, value, passes) in [
            ("aggregate_instance_extra_specs:ssd", "true", true),
            ("ssd", "true", true),
            ("ssd", "false", false),
            ("aggregate_instance_extra_specs:class", "silver", true),
            ("aggregate_instance_extra_specs:class", "<or> bronze <or> gold", true),
            ("aggregate_instance_extra_specs:iops", ">= 5000", true),
            ("aggregate_instance_extra_specs:iops", ">= 10000", false),
            ("aggregate_instance_extra_specs:gpu", "true", false),
            ("hw:cpu_policy", "shared", true),
            ("capabilities:ssd", "false", true),
        ] {
            flavor.extra_specs = texts(&[(key, value)]);
            let verdict = lets_pass(Filter::AggregateInstanceExtraSpecs, input("a", 1), &fast, &request(&flavor));
            assert_eq!(verdict, passes, "{key}={value}");
        }
    }
}
