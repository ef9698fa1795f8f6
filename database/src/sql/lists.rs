//! The lists that users ask for most, as they are sent: for tests of how they are carried out.

use cuttle_model::ids::{ImageId, InstanceId, ProjectId};
use cuttle_model::instance::StateName;
use uuid::Uuid;

use super::{image_list, instance_list};
use crate::images::ImageQuery;
use crate::instances::InstanceQuery;

/// A list and its statement.
pub(in super::super) struct Listing {
    pub(in super::super) name: &'static str,
    pub(in super::super) statement: String,
}

/// A project's own lists, in the usual order.
pub(in super::super) fn usual() -> Vec<Listing> {
    let id = Uuid::nil();
    let instances = || InstanceQuery { project: Some(ProjectId::from_uuid(id)), limit: Some(1000), ..InstanceQuery::default() };
    let images = || ImageQuery { owner: Some(ProjectId::from_uuid(id)), limit: Some(25), ..ImageQuery::default() };
    let instances = [
        ("instances", instances()),
        ("the next page of instances", InstanceQuery { marker: Some(InstanceId::from_uuid(id)), ..instances() }),
        ("active instances", InstanceQuery { states: vec![StateName::Active], ..instances() }),
        ("deleted instances", InstanceQuery { states: vec![StateName::Deleted], ..instances() }),
        (
            "changed instances",
            InstanceQuery { changed_since: Some(cuttle_model::clock::Timestamp::from_micros(0)), ..instances() },
        ),
    ];
    let images =
        [("images", images()), ("the next page of images", ImageQuery { marker: Some(ImageId::from_uuid(id)), ..images() })];
    let instances = instances.into_iter().map(|(name, query)| (name, instance_list::select(&query).into_string()));
    let images = images.into_iter().filter_map(|(name, query)| Some((name, image_list::select(&query).ok()?.into_string())));
    instances.chain(images).map(|(name, statement)| Listing { name, statement }).collect()
}
