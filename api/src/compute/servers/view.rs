//! How a server looks on the wire, at each microversion and for whom.

use std::collections::HashMap;

use cuttle_database::ImageQuery;
use cuttle_model::host::Host;
use cuttle_model::ids::{HostId, ImageId, InstanceId};
use cuttle_model::image::Image;
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::wire::nova_view;
use serde_json::{Value, json};

use crate::compute::availability_zones::ZONE;
use crate::compute::flavors::view::embedded;
use crate::compute::hosts;
use crate::compute::links::{bookmark, links};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;

/// What is needed to show servers, read at once for a whole page.
pub struct Viewer {
    version: Microversion,
    address: Address,
    /// For administrators: names and states of hosts.
    hosts: Option<HashMap<HostId, (Host, bool)>>,
    /// From 2.98: the properties of the servers' images.
    images: HashMap<ImageId, Image>,
    /// For administrators, from 2.3: the servers' user data.
    user_data: HashMap<InstanceId, String>,
}

impl Viewer {
    /// For showing `instances`. The number of queries does not depend on how many they are.
    pub async fn new(
        shared: &Shared,
        caller: &Caller,
        version: Microversion,
        address: Address,
        instances: &[Instance],
    ) -> Result<Self, ApiError> {
        let hosts = match caller.is_admin() && !instances.is_empty() {
            true => {
                let known = hosts::by_id(shared).await?;
                Some(
                    known
                        .into_iter()
                        .map(|(id, host)| {
                            let up = hosts::is_up(shared, &host);
                            (id, (host, up))
                        })
                        .collect(),
                )
            }
            false => None,
        };
        let images = match version >= Microversion(98) {
            true => images_of(shared, instances).await?,
            false => HashMap::new(),
        };
        let user_data = match hosts.is_some() && version >= Microversion(3) {
            true => user_data_of(shared, instances).await?,
            false => HashMap::new(),
        };
        Ok(Self { version, address, hosts, images, user_data })
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What `GET /servers` shows, at every version.
    pub fn brief(&self, instance: &Instance) -> Value {
        json!({
            "id": instance.id,
            "name": instance.name,
            "links": links(&self.address, "servers", &instance.id.to_string()),
        })
    }

    /// All that is shown of a server.
    pub fn detail(&self, instance: &Instance) -> Value {
        let nova = nova_view(&instance.state, instance.task, instance.power);
        let mut shown = json!({
            "id": instance.id,
            "name": instance.name,
            "status": nova.status,
            "tenant_id": instance.project_id,
            "user_id": instance.user_id,
            "hostId": self.host_id(instance),
            "image": self.image(instance),
            "flavor": embedded(&instance.flavor, self.version, &self.address),
            "created": instance.created_at.to_seconds_z(),
            "updated": instance.updated_at.to_seconds_z(),
            "addresses": {},
            "accessIPv4": instance.access_ipv4.map(|address| address.to_string()).unwrap_or_default(),
            "accessIPv6": instance.access_ipv6.map(|address| address.to_string()).unwrap_or_default(),
            "links": links(&self.address, "servers", &instance.id.to_string()),
            "metadata": instance.metadata,
            "key_name": instance.key_name,
            "config_drive": if instance.config_drive { "True" } else { "" },
            "OS-DCF:diskConfig": "MANUAL",
            "OS-EXT-AZ:availability_zone": zone(instance),
            "OS-EXT-STS:vm_state": nova.vm_state,
            "OS-EXT-STS:task_state": nova.task_state,
            "OS-EXT-STS:power_state": nova.power_state,
            "OS-SRV-USG:launched_at": instance.launched_at.map(|time| time.to_micros_naive()),
            "OS-SRV-USG:terminated_at": instance.deleted_at.map(|time| time.to_micros_naive()),
            "os-extended-volumes:volumes_attached": [],
        });
        if matches!(nova.status, "BUILD" | "ACTIVE") {
            shown["progress"] = json!(0);
        }
        if let InstanceState::Error { fault } = &instance.state {
            shown["fault"] =
                json!({ "code": fault.code(), "created": instance.updated_at.to_seconds_z(), "message": fault.message });
        }
        self.add_by_version(instance, &mut shown);
        self.add_for_admins(instance, &mut shown);
        shown
    }

    /// As the answer to a change of it: before 2.75 without what was an extension once.
    pub fn changed(&self, instance: &Instance) -> Value {
        let mut shown = self.detail(instance);
        if self.version >= Microversion(71) {
            shown["server_groups"] = json!([]);
        }
        if let Some(fields) = shown.as_object_mut().filter(|_| self.version < Microversion(75)) {
            let extensions = ["key_name", "config_drive", "host_status", "security_groups"];
            let prefixes = ["OS-EXT-", "OS-SRV-USG:", "os-extended-volumes:"];
            fields.retain(|field, _| {
                !extensions.contains(&field.as_str()) && !prefixes.iter().any(|prefix| field.starts_with(prefix))
            });
        }
        shown
    }

    fn add_by_version(&self, instance: &Instance, shown: &mut Value) {
        let mut add = |since: u16, key: &str, value: Value| {
            if self.version >= Microversion(since) {
                shown[key] = value;
            }
        };
        add(9, "locked", json!(instance.lock.is_some()));
        add(19, "description", json!(instance.description));
        add(26, "tags", json!(instance.tags));
        add(63, "trusted_image_certificates", Value::Null);
        add(73, "locked_reason", json!(instance.lock.as_ref().and_then(|lock| lock.reason.as_ref())));
        add(90, "OS-EXT-SRV-ATTR:hostname", json!(instance.hostname));
        add(96, "pinned_availability_zone", json!(instance.availability_zone));
        add(100, "scheduler_hints", json!({}));
    }

    fn add_for_admins(&self, instance: &Instance, shown: &mut Value) {
        let Some(hosts) = &self.hosts else { return };
        let host = instance.host_id.and_then(|id| hosts.get(&id));
        let name = host.map(|(host, _)| host.name.as_str());
        shown["OS-EXT-SRV-ATTR:host"] = json!(name);
        shown["OS-EXT-SRV-ATTR:hypervisor_hostname"] = json!(name);
        shown["OS-EXT-SRV-ATTR:instance_name"] = json!(instance.id);
        if self.version >= Microversion(3) {
            shown["OS-EXT-SRV-ATTR:hostname"] = json!(instance.hostname);
            shown["OS-EXT-SRV-ATTR:launch_index"] = json!(instance.launch_index);
            shown["OS-EXT-SRV-ATTR:reservation_id"] = json!(instance.reservation_id);
            shown["OS-EXT-SRV-ATTR:root_device_name"] = json!(instance.root_disk.as_ref().map(|_| "/dev/vda"));
            shown["OS-EXT-SRV-ATTR:user_data"] = json!(self.user_data.get(&instance.id));
            for absent in ["kernel_id", "ramdisk_id"] {
                shown[format!("OS-EXT-SRV-ATTR:{absent}")] = Value::Null;
            }
        }
        if self.version >= Microversion(16) {
            shown["host_status"] = json!(match host {
                None => "",
                Some((host, _)) if hosts::administrative(host).0 == "disabled" => "MAINTENANCE",
                Some((_, true)) => "UP",
                Some((_, false)) => "UNKNOWN",
            });
        }
    }

    fn host_id(&self, instance: &Instance) -> String {
        let host = instance.host_id.map(|id| id.to_string());
        host.map_or_else(String::new, |host| hosts::opaque_id(&instance.project_id.to_string(), &host))
    }

    fn image(&self, instance: &Instance) -> Value {
        let Some(id) = instance.image_id else { return json!("") };
        let mut shown = json!({ "id": id, "links": bookmark(&self.address, "images", &id.to_string()) });
        if self.version >= Microversion(98) {
            shown["properties"] = self.images.get(&id).map_or_else(|| json!({}), |image| json!(image.properties));
        }
        shown
    }
}

/// The zone where a server is, or is to be; empty before it has a host.
pub fn zone(instance: &Instance) -> &str {
    match (&instance.availability_zone, instance.host_id) {
        (Some(zone), _) => zone,
        (None, Some(_)) => ZONE,
        (None, None) => "",
    }
}

async fn user_data_of(shared: &Shared, instances: &[Instance]) -> Result<HashMap<InstanceId, String>, ApiError> {
    let ids: Vec<InstanceId> = instances.iter().map(|instance| instance.id).collect();
    Ok(shared.database.list_user_data(&ids).await?)
}

async fn images_of(shared: &Shared, instances: &[Instance]) -> Result<HashMap<ImageId, Image>, ApiError> {
    let mut ids: Vec<ImageId> = instances.iter().filter_map(|instance| instance.image_id).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = ImageQuery { ids: Some(ids), ..ImageQuery::default() };
    let found = shared.database.list_images(&query).await?;
    Ok(found.into_iter().map(|image| (image.id, image)).collect())
}
