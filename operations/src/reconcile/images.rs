//! From Ceph to the database: images in a pool that no row has, that have another name than their row says, or that are
//! not ours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cuttle_model::operation::Subject;
use cuttle_rbd_backend::{ImageFacts, ImageName, ImagePool, Place};

use super::finding::{Finding, Kind};
use super::owner::{Rows, Verdict, judge, named_by, suggested_by};
use super::report::Mode;
use super::{Look, PAGE, Stop};

/// An orphan is kept for so long at least: whoever runs a reconciler may find out days later.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Looks at every image in the pool.
pub(super) async fn look(look: &mut Look<'_>, pool: &str) -> Result<(), Stop> {
    let pool = look.control.ceph().pool(pool);
    let mut after: Option<String> = None;
    loop {
        let page = pool.list_images_page(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        look.report.looked_at.images += page.len() as u64;
        look_at_page(look, &pool, page).await?;
    }
}

async fn look_at_page(look: &mut Look<'_>, pool: &Arc<dyn ImagePool>, page: Vec<ImageName>) -> Result<(), Stop> {
    let mut doubtful = Vec::new();
    for (image, verdict) in judged(look, pool, page).await? {
        match verdict {
            Verdict::Owned | Verdict::Busy => {}
            Verdict::Foreign => look.report.add_foreign(pool.name(), &image.id, &image.name),
            verdict => doubtful.push((image, verdict)),
        }
    }
    if doubtful.is_empty() {
        return Ok(());
    }
    // Again, from the start: an operation may have ended between our look at the image and that at its row.
    let ids: Vec<String> = doubtful.iter().map(|(image, _)| image.id.clone()).collect();
    let places = pool.places(&ids).await?;
    let still_there = |image: &ImageName| matches!(places.get(&image.id), Some(Place::Named(name)) if *name == image.name);
    let images = doubtful.iter().map(|(image, _)| image).filter(|image| still_there(image)).cloned().collect();
    let before: HashMap<String, Verdict> = doubtful.into_iter().map(|(image, verdict)| (image.id, verdict)).collect();
    for (image, verdict) in judged(look, pool, images).await? {
        if before.get(&image.id) == Some(&verdict) {
            report(look, pool, &image, verdict).await?;
        }
    }
    Ok(())
}

/// The images with what the rows say to them. Those that are gone meanwhile, or younger than this look, are left out.
async fn judged(look: &Look<'_>, pool: &Arc<dyn ImagePool>, images: Vec<ImageName>) -> Result<Vec<(ImageName, Verdict)>, Stop> {
    let ids: Vec<String> = images.iter().map(|image| image.id.clone()).collect();
    let facts = pool.facts(&ids).await?;
    let subjects = |image: &ImageName, facts: &ImageFacts| [named_by(facts), suggested_by(&image.name)];
    let asked: HashSet<Subject> = images
        .iter()
        .filter_map(|image| Some(subjects(image, facts.get(&image.id)?)))
        .flat_map(|subjects| subjects.into_iter().flatten())
        .collect();
    let rows = Rows::read(look, &asked).await?;
    let images_pool = &look.control.settings().images_pool;
    let judged = images.into_iter().filter_map(|image| {
        let facts = facts.get(&image.id).filter(|facts| !is_younger(look, facts))?;
        let verdict = judge(pool.name(), images_pool, &image, facts, &rows);
        Some((image, verdict))
    });
    Ok(judged.collect())
}

fn is_younger(look: &Look<'_>, facts: &ImageFacts) -> bool {
    let began = u64::try_from(look.began_at.as_micros()).unwrap_or(0);
    facts.created_at.is_some_and(|created| created > std::time::UNIX_EPOCH + Duration::from_micros(began))
}

async fn report(look: &mut Look<'_>, pool: &Arc<dyn ImagePool>, image: &ImageName, verdict: Verdict) -> Result<(), Stop> {
    let (id, name) = (&image.id, &image.name);
    let finding = |kind, message| Finding::new(kind, name, Some(pool.name()), message);
    let found = match verdict {
        Verdict::Unknown { owner } => finding(
            Kind::UnknownOwner,
            format!("the image with the id {id} names {} as its owner, of which there is no row", word(owner)),
        ),
        Verdict::Orphan { why, .. } => {
            let action = match look.mode {
                Mode::DryRun => None,
                Mode::TrashOrphans => Some(trash(look, pool, image).await?),
            };
            Finding { action, ..finding(Kind::Orphan, format!("nobody has the image with the id {id}: {why}")) }
        }
        Verdict::Owned | Verdict::Busy | Verdict::Foreign => return Ok(()),
    };
    look.report.add(found);
    Ok(())
}

/// Moves an orphan to the trash, unless somebody has it open; answers what was done.
async fn trash(look: &Look<'_>, pool: &Arc<dyn ImagePool>, image: &ImageName) -> Result<String, Stop> {
    let watchers = pool.watchers_by_id(&image.id).await?.unwrap_or_default();
    if let Some(watcher) = watchers.first() {
        return Ok(format!("left where it is: {} has it open", watcher.address));
    }
    let delay = look.control.settings().trash_delay().max(KEPT);
    match pool.trash_move_by_id(&image.id, delay).await? {
        true => {
            tracing::info!(pool = pool.name(), image = image.name, id = image.id, "an orphan was moved to the trash");
            Ok(format!(
                "moved to the trash for {} days; 'rbd trash restore {}/{}' brings it back",
                delay.as_secs() / 86_400,
                pool.name(),
                image.id
            ))
        }
        false => Ok("gone meanwhile".to_owned()),
    }
}

fn word(subject: Subject) -> String {
    match subject {
        Subject::Instance(id) => format!("instance {id}"),
        Subject::Image(id) => format!("image {id}"),
        Subject::Host(id) => format!("host {id}"),
    }
}
