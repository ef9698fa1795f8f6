//! Making images and clones, and whose they are: the rules of the real one, on the state in memory.

use std::collections::BTreeMap;

use cuttle_rbd_backend::{ClonePlan, Errno, Error, ImageInfo, ImageRef, Metadata, ParentInfo, Reason};

use super::Call;
use super::state::{FEATURES, ImageState, Parent, PoolState, State};

/// Keys of this prefix are ours: a clone keeps none of its parent's.
const OURS: &str = "cuttle.";

pub(super) fn check_name(name: &str, call: &Call) -> Result<(), Error> {
    match name.is_empty() || name.len() > 200 || name.contains(['/', '@', '\0']) {
        true => Err(call.refused("an image's name has 1 to 200 bytes, none of them / or @")),
        false => Ok(()),
    }
}

pub(super) fn pool<'a>(state: &'a mut State, name: &str, call: &Call) -> Result<&'a mut PoolState, Error> {
    state.pools.get_mut(name).ok_or_else(|| call.error(Reason::NoPool))
}

/// The id of an image that is there, in the trash or not when asked by id.
pub(super) fn find(pool: &PoolState, image: &ImageRef) -> Option<String> {
    match image {
        ImageRef::Name(name) => pool.names.get(name).cloned(),
        ImageRef::Id(id) => pool.images.contains_key(id).then(|| id.clone()),
    }
}

pub(super) fn info(pool: &PoolState, id: &str) -> ImageInfo {
    let image = &pool.images[id];
    let name = pool.names.iter().find(|(_, of)| *of == id).map(|(name, _)| name.clone());
    let name = name.or_else(|| pool.trash.get(id).map(|entry| entry.name.clone())).unwrap_or_default();
    let parent = image.parent.as_ref().map(|parent| parent.info.clone());
    ImageInfo { id: id.to_owned(), name, size_bytes: image.size_bytes, features: FEATURES, parent }
}

pub(super) fn create(
    state: &mut State,
    in_pool: &str,
    name: &str,
    size_bytes: u64,
    metadata: &Metadata,
    call: &Call,
) -> Result<ImageInfo, Error> {
    check_name(name, call)?;
    let id = format!("{:x}", state.number());
    let pool = pool(state, in_pool, call)?;
    let Some(existing) = pool.names.get(name).cloned() else {
        if pool.full {
            return Err(call.errno(libc::ENOSPC));
        }
        pool.images.insert(id.clone(), ImageState { size_bytes, metadata: metadata.clone(), ..ImageState::default() });
        pool.names.insert(name.to_owned(), id.clone());
        return Ok(info(pool, &id));
    };
    let image = pool.images.get_mut(&existing).unwrap();
    check_owner(&image.metadata, &Metadata::new(), metadata, call)?;
    if image.parent.is_some() || image.size_bytes != size_bytes {
        return Err(call.refused(format!("an image of that name is there with {} bytes, or is a clone", image.size_bytes)));
    }
    take_over(&mut image.metadata, metadata);
    Ok(info(pool, &existing))
}

pub(super) fn clone(state: &mut State, in_pool: &str, plan: &ClonePlan, call: &Call) -> Result<ImageInfo, Error> {
    check_name(&plan.name, call)?;
    let id = format!("{:x}", state.number());
    pool(state, in_pool, call)?;
    let of_parent = Call { pool: Some(plan.parent_pool.clone()), object: None, ..call.clone() };
    let from = format!("{}/{}@{}", plan.parent_pool, plan.parent_image, plan.parent_snapshot);
    let gone = || call.error(Reason::Ceph { errno: Errno(libc::ENOENT), status: format!("from {from}") });
    let parents = pool(state, &plan.parent_pool, &of_parent)?;
    let parent_id = parents.names.get(&plan.parent_image).cloned().ok_or_else(gone)?;
    let parent = &parents.images[&parent_id];
    let snapshot = parent.snapshot(&plan.parent_snapshot).ok_or_else(gone)?;
    let inherited = parent.metadata.clone();
    let fresh = ImageState {
        size_bytes: snapshot.size_bytes,
        parent: Some(Parent {
            info: ParentInfo {
                pool: plan.parent_pool.clone(),
                image: plan.parent_image.clone(),
                image_id: parent_id.clone(),
                snapshot: plan.parent_snapshot.clone(),
            },
            snapshot_id: snapshot.id,
        }),
        metadata: inherited.clone(),
        blocks: snapshot.blocks.clone(),
        ..ImageState::default()
    };
    let pool = pool(state, in_pool, call)?;
    let id = match pool.names.get(&plan.name).cloned() {
        Some(existing) => {
            check_clone(&pool.images[&existing], plan, &from, &inherited, call)?;
            existing
        }
        None if pool.full => return Err(call.errno(libc::ENOSPC)),
        None => {
            pool.images.insert(id.clone(), fresh);
            pool.names.insert(plan.name.clone(), id.clone());
            id
        }
    };
    let image = pool.images.get_mut(&id).unwrap();
    take_over(&mut image.metadata, &plan.metadata);
    image.size_bytes = image.size_bytes.max(plan.size_bytes);
    Ok(info(pool, &id))
}

fn check_clone(image: &ImageState, plan: &ClonePlan, from: &str, inherited: &Metadata, call: &Call) -> Result<(), Error> {
    let parent = image.parent.as_ref().map(|parent| &parent.info);
    match parent.map(|parent| format!("{}/{}@{}", parent.pool, parent.image, parent.snapshot)) {
        Some(of) if of != from => Err(call.refused(format!("an image of that name is there as a clone of {of}"))),
        None if !plan.metadata.iter().all(|(key, value)| image.metadata.get(key) == Some(value)) => {
            Err(call.refused("an image of that name is there that is no clone and does not name this owner"))
        }
        Some(_) => check_owner(&image.metadata, inherited, &plan.metadata, call),
        None => Ok(()),
    }
}

fn check_owner(present: &Metadata, inherited: &Metadata, wanted: &Metadata, call: &Call) -> Result<(), Error> {
    for (key, value) in wanted {
        if let Some(found) = present.get(key).filter(|found| *found != value && inherited.get(key) != Some(found)) {
            let why = format!("an image of that name has another owner: its metadata {key} is {found:?}, not {value:?}");
            return Err(call.refused(why));
        }
    }
    Ok(())
}

fn take_over(present: &mut BTreeMap<String, String>, wanted: &Metadata) {
    present.retain(|key, _| !key.starts_with(OURS) || wanted.contains_key(key));
    present.extend(wanted.clone());
}
