//! AggregateImagePropertiesIsolation: where an aggregate's metadata and the image have the same property,
//! the image's value is one of the aggregate's. What only one of them has says nothing.

use super::Classes;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<Classes<'a>> {
    let properties = request.image_properties;
    if properties.is_empty() {
        return None;
    }
    Classes::of(world.snapshot, |class| {
        properties.iter().all(|(key, value)| class.metadata.get(key).is_none_or(|values| values.contains(value)))
    })
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{aggregate, flavor, input, lets_pass, request, texts};

    #[test]
    fn equal_properties_have_equal_values() {
        let flavor = flavor(1, 1);
        let windows = [aggregate("a", &[("os_distro", "windows, msdos"), ("ssd", "true")])];
        for (properties, passes) in [
            (texts(&[("os_distro", "windows")]), true),
            (texts(&[("os_distro", "msdos")]), true),
            (texts(&[("os_distro", "debian")]), false),
            (texts(&[("hw_disk_bus", "scsi")]), true),
            (texts(&[]), true),
        ] {
            let request = Request { image_properties: &properties, ..request(&flavor) };
            let verdict = lets_pass(Filter::AggregateImagePropertiesIsolation, input("a", 1), &windows, &request);
            assert_eq!(verdict, passes, "{properties:?}");
        }
    }
}
