//! Our element in a domain's metadata: by it an agent knows its guests again, and their epochs.

use cuttle_model::ids::{Epoch, InstanceId};

use super::Blueprint;
use super::tree::Element;

/// The namespace of the element.
pub const NAMESPACE: &str = "urn:cuttle:guest:1";

/// The element of this guest.
pub fn element(blueprint: &Blueprint) -> Element {
    Element::new("cuttle:guest")
        .attribute("xmlns:cuttle", NAMESPACE)
        .leaf("cuttle:instance", blueprint.instance_id.to_string())
        .leaf("cuttle:epoch", blueprint.epoch.to_string())
        .leaf("cuttle:name", &blueprint.spec.name)
        .leaf("cuttle:project", &blueprint.spec.project_id)
}

/// The epoch of this instance's guest, if the element is its. libvirt, asked for the element of our
/// namespace, hands it out without the namespace, so only the names within are looked at.
pub fn epoch_of(xml: &str, instance: InstanceId) -> Option<Epoch> {
    let document = roxmltree::Document::parse(xml).ok()?;
    let root = document.root_element();
    let text = |name| root.children().find(|node| node.tag_name().name() == name)?.text();
    let named: InstanceId = text("instance")?.trim().parse().ok()?;
    let epoch = text("epoch")?.trim().parse().ok()?;
    (root.tag_name().name() == "guest" && named == instance).then_some(Epoch(epoch))
}
