//! How a server looks on the wire, at each microversion and for whom.
//!
//! Written right into the answer: a page of a thousand servers has tens of thousands of fields, and a tree of values in
//! between would cost more than all the rest of the request.

use std::collections::BTreeMap;

use cuttle_model::clock::Timestamp;
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::wire::{NovaView, nova_view};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::compute::flavors::view::embedded;
use crate::compute::hosts;
use crate::compute::links::{bookmark, links};
use crate::compute::microversion::Microversion;
use crate::compute::servers::view::Viewer;

/// All that is shown of a server.
pub struct Detail<'v> {
    pub(super) viewer: &'v Viewer,
    pub(super) instance: &'v Instance,
    pub(super) with_groups: bool,
}

impl Serialize for Detail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nova = nova_view(&self.instance.state, self.instance.task, self.instance.power);
        let mut map = serializer.serialize_map(None)?;
        self.always(&mut map, &nova)?;
        self.at_times(&mut map, &nova)?;
        self.by_version(&mut map)?;
        self.for_admins(&mut map)?;
        map.end()
    }
}

impl Detail<'_> {
    fn always<M: SerializeMap>(&self, map: &mut M, nova: &NovaView) -> Result<(), M::Error> {
        let Self { viewer: Viewer { address, version, .. }, instance, .. } = self;
        let id = instance.id.to_string();
        map.serialize_entry("id", &id)?;
        map.serialize_entry("name", &instance.name)?;
        map.serialize_entry("status", nova.status)?;
        map.serialize_entry("tenant_id", &instance.project_id)?;
        map.serialize_entry("user_id", &instance.user_id)?;
        map.serialize_entry("hostId", self.viewer.opaque_host(instance))?;
        map.serialize_entry("image", &ImageOf(self))?;
        map.serialize_entry("flavor", &embedded(&instance.flavor, *version, address))?;
        map.serialize_entry("created", &instance.created_at.to_seconds_z())?;
        map.serialize_entry("updated", &instance.updated_at.to_seconds_z())?;
        map.serialize_entry("addresses", &json!({}))?;
        map.serialize_entry("accessIPv4", &instance.access_ipv4.map(|address| address.to_string()).unwrap_or_default())?;
        map.serialize_entry("accessIPv6", &instance.access_ipv6.map(|address| address.to_string()).unwrap_or_default())?;
        map.serialize_entry("links", &links(address, "servers", &id))?;
        map.serialize_entry("metadata", &instance.metadata)?;
        map.serialize_entry("key_name", &instance.key_name)?;
        map.serialize_entry("config_drive", if instance.config_drive { "True" } else { "" })?;
        map.serialize_entry("OS-DCF:diskConfig", "MANUAL")?;
        map.serialize_entry("OS-EXT-AZ:availability_zone", self.viewer.zones.shown(instance))?;
        map.serialize_entry("OS-EXT-STS:vm_state", nova.vm_state)?;
        map.serialize_entry("OS-EXT-STS:task_state", &nova.task_state)?;
        map.serialize_entry("OS-EXT-STS:power_state", &nova.power_state)?;
        map.serialize_entry("OS-SRV-USG:launched_at", &instance.launched_at.map(Timestamp::to_micros_naive))?;
        map.serialize_entry("OS-SRV-USG:terminated_at", &instance.deleted_at.map(Timestamp::to_micros_naive))?;
        map.serialize_entry("os-extended-volumes:volumes_attached", &json!([]))
    }

    fn at_times<M: SerializeMap>(&self, map: &mut M, nova: &NovaView) -> Result<(), M::Error> {
        if matches!(nova.status, "BUILD" | "ACTIVE") {
            map.serialize_entry("progress", &0)?;
        }
        if let InstanceState::Error { fault } = &self.instance.state {
            let created = self.instance.updated_at.to_seconds_z();
            map.serialize_entry("fault", &json!({ "code": fault.code(), "created": created, "message": fault.message }))?;
        }
        if self.with_groups {
            let group: Vec<_> = self.viewer.groups.get(&self.instance.id).into_iter().collect();
            map.serialize_entry("server_groups", &group)?;
        }
        Ok(())
    }

    fn by_version<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { viewer, instance, .. } = self;
        let since = |version: u16| viewer.version >= Microversion(version);
        if since(9) {
            map.serialize_entry("locked", &instance.lock.is_some())?;
        }
        if since(19) {
            map.serialize_entry("description", &instance.description)?;
        }
        if since(26) {
            map.serialize_entry("tags", &instance.tags)?;
        }
        if since(63) {
            map.serialize_entry("trusted_image_certificates", &Value::Null)?;
        }
        if since(73) {
            map.serialize_entry("locked_reason", &instance.lock.as_ref().and_then(|lock| lock.reason.as_ref()))?;
        }
        // Administrators have seen it for longer.
        if since(90) || (since(3) && viewer.hosts.is_some()) {
            map.serialize_entry("OS-EXT-SRV-ATTR:hostname", &instance.hostname)?;
        }
        if since(96) {
            map.serialize_entry("pinned_availability_zone", &instance.availability_zone)?;
        }
        if since(100) {
            let none = BTreeMap::new();
            map.serialize_entry("scheduler_hints", viewer.hints.get(&instance.id).unwrap_or(&none))?;
        }
        Ok(())
    }

    fn for_admins<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { viewer, instance, .. } = self;
        let Some(hosts) = &viewer.hosts else { return Ok(()) };
        let host = instance.host_id.and_then(|id| hosts.get(&id));
        let name = host.map(|(host, _)| host.name.as_str());
        map.serialize_entry("OS-EXT-SRV-ATTR:host", &name)?;
        map.serialize_entry("OS-EXT-SRV-ATTR:hypervisor_hostname", &name)?;
        map.serialize_entry("OS-EXT-SRV-ATTR:instance_name", &instance.id)?;
        if viewer.version >= Microversion(3) {
            map.serialize_entry("OS-EXT-SRV-ATTR:launch_index", &instance.launch_index)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:reservation_id", &instance.reservation_id)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:root_device_name", &instance.root_disk.as_ref().map(|_| "/dev/vda"))?;
            map.serialize_entry("OS-EXT-SRV-ATTR:user_data", &viewer.user_data.get(&instance.id))?;
            map.serialize_entry("OS-EXT-SRV-ATTR:kernel_id", &Value::Null)?;
            map.serialize_entry("OS-EXT-SRV-ATTR:ramdisk_id", &Value::Null)?;
        }
        if viewer.version >= Microversion(16) {
            let status = match host {
                None => "",
                Some((host, _)) if hosts::administrative(host).0 == "disabled" => "MAINTENANCE",
                Some((_, true)) => "UP",
                Some((_, false)) => "UNKNOWN",
            };
            map.serialize_entry("host_status", status)?;
        }
        Ok(())
    }
}

/// The image that a server was made of; an empty text where there was none.
struct ImageOf<'d>(&'d Detail<'d>);

impl Serialize for ImageOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Detail { viewer, instance, .. } = self.0;
        let Some(id) = instance.image_id else { return serializer.serialize_str("") };
        let id_text = id.to_string();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id_text)?;
        map.serialize_entry("links", &bookmark(&viewer.address, "images", &id_text))?;
        if viewer.version >= Microversion(98) {
            let none = BTreeMap::new();
            map.serialize_entry("properties", viewer.images.get(&id).map_or(&none, |image| &image.properties))?;
        }
        map.end()
    }
}
