//! What would be, without doing it: where an instance would go, and whether the loss of a host could be
//! absorbed by the others.

use std::collections::BTreeMap;

use cuttle_database::{ImageQuery, InstanceQuery};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::host::HostName;
use cuttle_model::ids::{HostId, ImageId, InstanceId};
use cuttle_scheduler::{Group, Loss, Scratch, Tenant, absorb};

use super::{Ask, Hints, Placed, Refusal, View};
use crate::{Control, RequestError};

/// Where an instance would go now. Nothing is written.
pub async fn try_out(control: &Control, ask: &Ask<'_>) -> Result<Result<Placed, Refusal>, RequestError> {
    let hints = Hints::read(control, ask).await?;
    Ok(View::load(control).await?.choose(control, ask, &hints))
}

/// What the loss of each host would come to.
#[derive(Debug)]
pub struct HostLoss {
    pub host: HostName,
    /// Instances that would find a host.
    pub moved: usize,
    /// Those that would not, and why.
    pub stuck: Vec<(InstanceId, String)>,
}

/// Simulates the loss of each host by itself.
pub async fn losses(control: &Control) -> Result<Vec<HostLoss>, RequestError> {
    let view = View::load(control).await?;
    let names: BTreeMap<HostId, HostName> =
        control.database().list_hosts().await?.into_iter().map(|host| (host.id, host.name)).collect();
    let (tenants, groups) = tenants(control).await?;
    let control = control.clone();
    // A second or more of computing, where hosts are thousands.
    let simulated = tokio::task::spawn_blocking(move || {
        let world = view.world(&control);
        let mut scratch = Scratch::default();
        let lost = |(id, name)| host_loss(name, absorb(&world, id, &tenants, &groups, &mut scratch));
        let mut losses: Vec<HostLoss> = names.into_iter().map(lost).collect();
        losses.sort_by(|a, b| a.host.cmp(&b.host));
        losses
    });
    simulated.await.map_err(|_| RequestError::Failed(Fault::new(FaultKind::Internal, "the simulation broke off")))
}

fn host_loss(host: HostName, loss: Loss) -> HostLoss {
    HostLoss { host, moved: loss.moved.len(), stuck: loss.stuck }
}

/// The instances that have a host, with what they want of it, and their groups.
async fn tenants(control: &Control) -> Result<(Vec<Tenant>, Vec<Group>), RequestError> {
    let database = control.database();
    let instances = database.list_instances(&InstanceQuery::default()).await?;
    let placed: Vec<_> = instances.into_iter().filter(|instance| instance.host_id.is_some()).collect();
    let mut images: Vec<ImageId> = placed.iter().filter_map(|instance| instance.image_id).collect();
    images.sort();
    images.dedup();
    let images = database.list_images(&ImageQuery { ids: Some(images), ..ImageQuery::default() }).await?;
    let properties: BTreeMap<_, _> = images.into_iter().map(|image| (image.id, image.properties)).collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: BTreeMap<InstanceId, usize> = BTreeMap::new();
    let hosts: BTreeMap<InstanceId, HostId> =
        placed.iter().filter_map(|instance| Some((instance.id, instance.host_id?))).collect();
    for (group, members) in database.list_server_groups(None).await? {
        let mut found = Group { policy: group.policy, max_per_host: group.max_per_host, members: Vec::new() };
        for member in members {
            group_of.insert(member, groups.len());
            if let Some(host) = hosts.get(&member) {
                found.add(*host);
            }
        }
        groups.push(found);
    }
    let tenants = placed.into_iter().filter_map(|instance| {
        Some(Tenant {
            instance_id: instance.id,
            project_id: instance.project_id,
            host_id: instance.host_id?,
            image_properties: instance.image_id.and_then(|id| properties.get(&id).cloned()).unwrap_or_default(),
            flavor: instance.flavor,
            zone: instance.availability_zone,
            group: group_of.get(&instance.id).copied(),
        })
    });
    Ok((tenants.collect(), groups))
}
