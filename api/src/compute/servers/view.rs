//! What is needed to show servers, and for whom: read at once for a whole page.

use std::collections::HashMap;

use cuttle_database::{Hints, ImageQuery};
use cuttle_model::host::Host;
use cuttle_model::ids::{HostId, ImageId, InstanceId, ProjectId, ServerGroupId};
use cuttle_model::image::Image;
use cuttle_model::instance::Instance;
use serde::Serialize;
use serde_json::{Value, json};

use crate::compute::availability_zones::Zones;
use crate::compute::hosts;
use crate::compute::links::links;
use crate::compute::microversion::Microversion;
use crate::compute::servers::detail::Detail;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;

/// Shows servers.
pub struct Viewer {
    pub(super) version: Microversion,
    pub(super) address: Address,
    /// For administrators: names and states of hosts.
    pub(super) hosts: Option<HashMap<HostId, (Host, bool)>>,
    /// What each project is told of the hosts of its servers.
    opaque_ids: HashMap<(ProjectId, HostId), String>,
    /// From 2.98: the properties of the servers' images.
    pub(super) images: HashMap<ImageId, Image>,
    /// For administrators, from 2.3: the servers' user data.
    pub(super) user_data: HashMap<InstanceId, String>,
    /// Which host is in which availability zone.
    pub(super) zones: Zones,
    /// From 2.71, where it is one server: its group.
    pub(super) groups: HashMap<InstanceId, ServerGroupId>,
    /// From 2.100: the hints that the servers were asked for with.
    pub(super) hints: HashMap<InstanceId, Hints>,
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
        let mut opaque_ids = HashMap::new();
        for (project, host) in instances.iter().filter_map(|instance| Some((instance.project_id, instance.host_id?))) {
            opaque_ids.entry((project, host)).or_insert_with(|| hosts::opaque_id(&project.to_string(), &host.to_string()));
        }
        let ids: Vec<InstanceId> = instances.iter().map(|instance| instance.id).collect();
        let hints = match version >= Microversion(100) && !ids.is_empty() {
            true => shared.database.hints_of(&ids).await?,
            false => HashMap::new(),
        };
        let groups = match version >= Microversion(71) && ids.len() == 1 {
            true => shared.database.groups_of(&ids).await?,
            false => HashMap::new(),
        };
        let zones = match instances.iter().any(|instance| instance.host_id.is_some()) {
            true => Zones::read(shared).await?,
            false => Zones::default(),
        };
        Ok(Self { version, address, hosts, opaque_ids, images, user_data, zones, groups, hints })
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What `GET /servers` shows, at every version.
    pub fn brief(&self, instance: &Instance) -> impl Serialize {
        json!({
            "id": instance.id,
            "name": instance.name,
            "links": links(&self.address, "servers", &instance.id.to_string()),
        })
    }

    /// All that is shown of a server in a list.
    pub fn detail<'v>(&'v self, instance: &'v Instance) -> Detail<'v> {
        Detail { viewer: self, instance, with_groups: false }
    }

    /// All that is shown of one server.
    pub fn single<'v>(&'v self, instance: &'v Instance) -> Detail<'v> {
        Detail { viewer: self, instance, with_groups: self.version >= Microversion(71) }
    }

    /// As the answer to a change of it: before 2.75 without what was an extension once.
    pub fn changed(&self, instance: &Instance) -> Value {
        let mut shown = json!(self.single(instance));
        if let Some(fields) = shown.as_object_mut().filter(|_| self.version < Microversion(75)) {
            let extensions = ["key_name", "config_drive", "host_status", "security_groups"];
            let prefixes = ["OS-EXT-", "OS-SRV-USG:", "os-extended-volumes:"];
            fields.retain(|field, _| {
                !extensions.contains(&field.as_str()) && !prefixes.iter().any(|prefix| field.starts_with(prefix))
            });
        }
        shown
    }

    pub(super) fn opaque_host(&self, instance: &Instance) -> &str {
        let host = instance.host_id.and_then(|host| self.opaque_ids.get(&(instance.project_id, host)));
        host.map_or("", String::as_str)
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
