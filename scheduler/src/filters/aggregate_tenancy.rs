//! AggregateMultiTenancyIsolation: hosts of an aggregate with `filter_tenant_id` are for these projects
//! only. Keys that begin so, such as `filter_tenant_id2`, count too. Project ids are read in both forms.

use cuttle_model::ids::ProjectId;

use super::Classes;
use crate::choice::World;
use crate::request::Request;

const KEY: &str = "filter_tenant_id";

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<Classes<'a>> {
    Classes::of(world.snapshot, |class| {
        let mut projects =
            class.metadata.range(KEY.to_owned()..).take_while(|(key, _)| key.starts_with(KEY)).flat_map(|(_, ids)| ids);
        let mut is_isolated = false;
        let is_named = projects.any(|id| {
            is_isolated = true;
            id.parse::<ProjectId>() == Ok(request.project_id)
        });
        is_named || !is_isolated
    })
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::test_hosts::{aggregate, flavor, input, lets_pass, request};

    #[test]
    fn isolated_hosts_are_for_those_named() {
        let flavor = flavor(1, 1);
        let own = request(&flavor).project_id;
        let dashed = own.as_uuid().hyphenated().to_string();
        let other = "0123456789abcdef0123456789abcdef";
        for (value, passes) in [(other, false), (dashed.as_str(), true), (&format!("{other}, {own}"), true), ("", false)] {
            let isolated = [aggregate("a", &[("filter_tenant_id", value)])];
            assert_eq!(
                lets_pass(Filter::AggregateMultiTenancyIsolation, input("a", 1), &isolated, &request(&flavor)),
                passes,
                "{value}"
            );
        }
        let more = [aggregate("a", &[("filter_tenant_id", other), ("filter_tenant_id2", &own.to_string())])];
        assert!(lets_pass(Filter::AggregateMultiTenancyIsolation, input("a", 1), &more, &request(&flavor)));
        let open = [aggregate("a", &[("ssd", "true")])];
        assert!(lets_pass(Filter::AggregateMultiTenancyIsolation, input("a", 1), &open, &request(&flavor)));
    }
}
