//! How an instance looks to operators.

use std::collections::HashMap;

use cuttle_model::client::DiskClient;
use cuttle_model::ids::{HostId, ProjectId};
use cuttle_model::instance::{Instance, InstanceState};
use serde_json::{Value, json};

use crate::compute::hosts;
use crate::error::ApiError;
use crate::operator::operations::view::fault;
use crate::shared::Shared;

/// Names of hosts and projects, read at once for a whole page.
pub struct Names {
    hosts: HashMap<HostId, String>,
    projects: HashMap<ProjectId, String>,
}

impl Names {
    pub async fn read(shared: &Shared) -> Result<Self, ApiError> {
        let (hosts, projects) = tokio::try_join!(hosts::by_id(shared), async { Ok(shared.database.list_projects().await?) })?;
        Ok(Self {
            hosts: hosts.into_iter().map(|(id, host)| (id, host.name.to_string())).collect(),
            projects: projects.into_iter().map(|project| (project.id, project.name)).collect(),
        })
    }
}

/// What a list shows.
pub fn brief(instance: &Instance, names: &Names) -> Value {
    json!({
        "id": instance.id,
        "name": instance.name,
        "project_id": instance.project_id,
        "project": names.projects.get(&instance.project_id),
        "state": instance.state.name().as_str(),
        "task": instance.task.map(|task| task.as_str()),
        "power": instance.power.as_str(),
        "host": instance.host_id.and_then(|id| names.hosts.get(&id)),
        "flavor": instance.flavor.name,
        "created_at": instance.created_at.to_micros_z(),
        "updated_at": instance.updated_at.to_micros_z(),
    })
}

/// All of it, with the clients that may write to its disks.
pub fn detail(instance: &Instance, names: &Names, clients: &[DiskClient]) -> Value {
    let mut shown = brief(instance, names);
    shown["user_id"] = json!(instance.user_id);
    shown["image_id"] = json!(instance.image_id);
    shown["vcpus"] = json!(instance.flavor.vcpus);
    shown["ram_mib"] = json!(instance.flavor.ram_mib);
    shown["epoch"] = json!(instance.epoch);
    shown["running_allowed"] = json!(instance.running_allowed);
    shown["root_disk"] = json!(instance.root_disk);
    shown["launched_at"] = json!(instance.launched_at.map(|time| time.to_micros_z()));
    shown["deleted_at"] = json!(instance.deleted_at.map(|time| time.to_micros_z()));
    shown["fault"] = match &instance.state {
        InstanceState::Error { fault: why } => fault(why),
        _ => Value::Null,
    };
    shown["clients"] = clients
        .iter()
        .map(|client| {
            json!({ "address": client.address, "epoch": client.epoch, "pool": client.pool, "image_id": client.image_id,
                "host": names.hosts.get(&client.host_id), "recorded_at": client.recorded_at.to_micros_z() })
        })
        .collect();
    shown
}
