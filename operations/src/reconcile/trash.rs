//! The trash: what is ours, and should have been purged by now.

use std::time::{Duration, UNIX_EPOCH};

use cuttle_rbd_backend::{ImageRef, TrashEntry};

use super::finding::{Finding, Kind};
use super::{Look, PAGE, Stop};

/// The purge looks every so often, and what it deletes may be large.
const GRACE: Duration = Duration::from_secs(600);

/// Looks at the trash of a pool.
pub(super) async fn look(look: &mut Look<'_>, pool: &str) -> Result<(), Stop> {
    let pool = look.control.ceph().pool(pool);
    let entries = pool.trash_list().await?;
    look.report.looked_at.trashed += entries.len() as u64;
    let grace = GRACE + 2 * Duration::from_secs(look.control.settings().purge_interval_seconds);
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(look.began_at.as_micros()).unwrap_or(0));
    let overdue: Vec<TrashEntry> = entries.into_iter().filter(|entry| entry.deferment_end + grace < now).collect();
    for page in overdue.chunks(PAGE) {
        let ids: Vec<String> = page.iter().map(|entry| entry.id.clone()).collect();
        let facts = pool.facts(&ids).await?;
        for entry in page.iter().filter(|entry| facts.get(&entry.id).is_some_and(|facts| !facts.owner.is_empty())) {
            // Clones live on what they were made from.
            if pool.list_snapshots(ImageRef::id(&entry.id)).await?.is_none_or(|snapshots| !snapshots.is_empty()) {
                continue;
            }
            let watchers = pool.watchers_by_id(&entry.id).await?.unwrap_or_default();
            let open = watchers.first().map(|watcher| format!("; {} has it open", watcher.address)).unwrap_or_default();
            let since = now.duration_since(entry.deferment_end).unwrap_or_default().as_secs() / 60;
            let message = format!("the image with the id {} should have been purged {since} minutes ago{open}", entry.id);
            look.report.add(Finding::new(Kind::OverdueTrash, &entry.name, Some(pool.name()), message));
        }
    }
    Ok(())
}
