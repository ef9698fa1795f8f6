//! From the database to Ceph: disks that rows name and that are not there or have another name, clients that no row records, and images whose
//! data is gone.

use std::collections::{HashMap, HashSet};

use cuttle_database::{ImageQuery, ImageSort, InstanceQuery, InstanceSort, SortDirection};
use cuttle_model::client::DiskClient;
use cuttle_model::disk::{Disk, image_name};
use cuttle_model::ids::InstanceId;
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::Instance;
use cuttle_rbd_backend::Place;
use futures::{StreamExt, TryStreamExt};

use super::finding::{Finding, Kind};
use super::{Look, PAGE, Stop};

/// Disks whose watchers are asked for at once: each opens the image.
const AT_ONCE: usize = 8;
const LIMIT: u32 = PAGE as u32;

/// Looks at the disks of every instance that nothing is being done to.
pub(super) async fn look(look: &mut Look<'_>) -> Result<(), Stop> {
    let nodes = look.control.database().list_nodes().await?;
    let nodes: HashSet<String> = nodes.into_iter().flat_map(|node| node.addresses).collect();
    let mut marker = None;
    loop {
        let query = InstanceQuery {
            sort: vec![(InstanceSort::Id, SortDirection::Ascending)],
            marker,
            limit: Some(LIMIT),
            ..InstanceQuery::default()
        };
        let page = look.control.database().list_instances(&query).await?;
        let Some(last) = page.last() else { return Ok(()) };
        marker = Some(last.id);
        look.report.looked_at.instances += page.len() as u64;
        let doubtful = doubts(look, &page, &nodes).await?;
        if doubtful.is_empty() {
            continue;
        }
        // Again: what was begun since then explains what we saw.
        let ids: Vec<InstanceId> = doubtful.iter().map(|(id, _)| *id).collect();
        let again = look.control.database().instances_by_id(&ids).await?;
        let unchanged = |row: &Instance| page.iter().any(|before| before.id == row.id && before.generation == row.generation);
        let again: Vec<Instance> = again.into_iter().filter(|row| unchanged(row)).collect();
        for (id, finding) in doubts(look, &again, &nodes).await? {
            if doubtful.contains(&(id, finding.clone())) {
                look.report.add(finding);
            }
        }
    }
}

/// What does not fit, with whose it is.
async fn doubts(look: &Look<'_>, page: &[Instance], nodes: &HashSet<String>) -> Result<Vec<(InstanceId, Finding)>, Stop> {
    let settled: Vec<&Instance> = page.iter().filter(|row| row.task.is_none()).collect();
    let disks: Vec<(InstanceId, &Disk)> =
        settled.iter().flat_map(|row| row.disks().map(|disk| (row.id, disk)).collect::<Vec<_>>()).collect();
    let mut by_pool: HashMap<&str, Vec<String>> = HashMap::new();
    for (_, disk) in &disks {
        by_pool.entry(&disk.pool).or_default().push(disk.image_id.clone());
    }
    let mut places: HashMap<(&str, String), Place> = HashMap::new();
    for (pool, ids) in by_pool {
        let found = look.control.ceph().pool(pool).places(&ids).await?;
        places.extend(found.into_iter().map(|(id, place)| ((pool, id), place)));
    }
    let mut found = Vec::new();
    let mut present = Vec::new();
    for (instance, disk) in disks {
        let (kind, whereabouts) = match places.get(&(disk.pool.as_str(), disk.image_id.clone())) {
            Some(Place::Named(name)) => {
                present.push((instance, disk));
                if *name != disk.name {
                    let message = format!(
                        "the {} disk of instance {instance} (id {}) should be named {}",
                        disk.role.as_str(),
                        disk.image_id,
                        disk.name
                    );
                    found.push((instance, Finding::new(Kind::MisnamedDisk, name, Some(&disk.pool), message)));
                }
                continue;
            }
            Some(Place::Trash) => (Kind::TrashedDisk, "in the trash"),
            None => (Kind::MissingDisk, "nowhere"),
        };
        let message = format!("the {} disk of instance {instance} (id {}) is {whereabouts}", disk.role.as_str(), disk.image_id);
        found.push((instance, Finding::new(kind, &disk.name, Some(&disk.pool), message)));
    }
    found.extend(unrecorded(look, &present, nodes).await?);
    Ok(found)
}

/// Clients that have a disk open and are neither on record nor control nodes.
async fn unrecorded(
    look: &Look<'_>,
    disks: &[(InstanceId, &Disk)],
    nodes: &HashSet<String>,
) -> Result<Vec<(InstanceId, Finding)>, Stop> {
    let mut looks = Vec::with_capacity(disks.len());
    for (instance, disk) in disks {
        looks.push(others(look, *instance, disk));
    }
    let watched: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    // Records after watchers: a client is on record before it may write, and its record outlives it.
    let ids: Vec<InstanceId> = disks.iter().map(|(instance, _)| *instance).collect();
    let open: Vec<DiskClient> = if ids.is_empty() { Vec::new() } else { look.control.database().open_clients_of(&ids).await? };
    let recorded =
        |disk: &Disk, address: &str| open.iter().any(|client| client.image_id == disk.image_id && client.address == address);
    let mut found = Vec::new();
    for (instance, disk, addresses) in watched {
        for address in addresses {
            if recorded(disk, &address) || nodes.contains(&address) {
                continue;
            }
            let message =
                format!("{address} has the {} disk of instance {instance} open and is not on record", disk.role.as_str());
            found.push((instance, Finding::new(Kind::UnrecordedClient, &disk.name, Some(&disk.pool), message)));
        }
    }
    Ok(found)
}

/// Who has a disk open besides ourselves.
async fn others<'a>(
    look: &Look<'_>,
    instance: InstanceId,
    disk: &'a Disk,
) -> Result<(InstanceId, &'a Disk, Vec<String>), cuttle_rbd_backend::Error> {
    let watchers = look.control.ceph().pool(&disk.pool).watchers_by_id(&disk.image_id).await?.unwrap_or_default();
    let others = watchers.into_iter().filter(|watcher| !watcher.own).map(|watcher| watcher.address);
    Ok((instance, disk, others.collect()))
}

/// Looks for the data of every image that instances can be made from.
pub(super) async fn look_at_images(look: &mut Look<'_>) -> Result<(), Stop> {
    let pool = look.control.ceph().pool(&look.control.settings().images_pool);
    let mut marker = None;
    loop {
        let query = ImageQuery {
            statuses: Some(vec![ImageStatus::Active]),
            sort: vec![(ImageSort::Id, SortDirection::Ascending)],
            marker,
            limit: Some(LIMIT),
            ..ImageQuery::default()
        };
        let page = look.control.database().list_images(&query).await?;
        let Some(last) = page.last() else { return Ok(()) };
        marker = Some(last.id);
        for image in &page {
            if pool.info(image_name(image.id).into()).await?.is_none() && is_unchanged(look, image).await? {
                let message = format!("image {} is active, and there is no RBD image of that name", image.id);
                look.report.add(Finding::new(Kind::MissingImageData, image.id, Some(pool.name()), message));
            }
        }
    }
}

async fn is_unchanged(look: &Look<'_>, image: &Image) -> Result<bool, Stop> {
    let row = look.control.database().get_image(image.id).await?;
    Ok(row.is_some_and(|row| row.generation == image.generation))
}
