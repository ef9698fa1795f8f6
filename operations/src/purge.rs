//! Emptying the trash of what users have deleted, once its time there is over; closing the records of clients that outlived
//! their instance; and forgetting old commands and tokens.
//!
//! Only what no row names is purged: the database is asked for each entry. An image with clones cannot
//! be purged by Ceph either, and is looked at again the next time.

use std::time::{Duration, UNIX_EPOCH};

use cuttle_model::clock::Timestamp;
use cuttle_model::disk::{IMAGE_SNAPSHOT, RESIZE_SNAPSHOT, UPLOAD_SUFFIX, disk_owner_of_name, image_name};
use cuttle_model::ids::ImageId;
use cuttle_model::image::ImageStatus;
use cuttle_model::instance::InstanceState;
use cuttle_rbd_backend::{Deferment, ImagePool, ImageRef, TrashEntry};
use tokio_util::sync::CancellationToken;

use crate::{Control, guest};

/// Deleted instances whose records are looked at in one round.
const RECORDS_AT_ONCE: u32 = 100;
/// How long a control node that is not heard of is remembered.
const NODES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long finished commands are kept, for whoever looks into something.
const COMMANDS_KEPT: Duration = Duration::from_secs(3600);

/// Purges until `shutdown`.
pub(crate) async fn run(control: &Control, shutdown: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(control.settings().purge_interval_seconds.max(1)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        once(control).await;
    }
}

/// One round.
pub(crate) async fn once(control: &Control) {
    close_records(control).await;
    let settings = control.settings();
    for pool in [&settings.vms_pool, &settings.images_pool] {
        if let Err(error) = purge_pool(control, pool).await {
            tracing::warn!(pool, %error, "the trash could not be read");
        }
    }
    purge_rows(control).await;
}

/// A delete does not wait for the watch of a process that was killed; without this its record would be in the way of
/// whoever wants to remove the host.
async fn close_records(control: &Control) {
    let open = match control.database().deleted_with_open_clients(RECORDS_AT_ONCE).await {
        Ok(open) => open,
        Err(error) => return tracing::warn!(%error, "the records of deleted instances' clients could not be read"),
    };
    for (instance, epoch) in open {
        if let Err(error) = guest::close_records(control, instance, epoch).await {
            tracing::info!(%instance, %error, "its clients stay on record");
        }
    }
}

async fn purge_pool(control: &Control, pool: &str) -> Result<(), cuttle_rbd_backend::Error> {
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(control.now().as_micros()).unwrap_or(0));
    let handle = control.ceph().pool(pool);
    for entry in handle.trash_list().await? {
        if entry.deferment_end > now || !nobody_names(control, &entry).await {
            continue;
        }
        if let Err(error) = release_snapshot(handle.as_ref(), &entry).await {
            tracing::info!(pool, image = entry.name, id = entry.id, %error, "its snapshot stays");
        }
        match handle.trash_purge(&entry.id, Deferment::Respected).await {
            Ok(()) => tracing::info!(pool, image = entry.name, id = entry.id, "purged from the trash"),
            Err(error) => tracing::info!(pool, image = entry.name, id = entry.id, %error, "stays in the trash"),
        }
    }
    Ok(())
}

/// The snapshot that instances were cloned from, or to which a resize went back, would keep an image in the trash for ever. It goes only now, so that until now
/// the image could be restored. Clones live on: Ceph keeps what they need until the last of them is gone or flattened.
async fn release_snapshot(pool: &dyn ImagePool, entry: &TrashEntry) -> Result<(), cuttle_rbd_backend::Error> {
    let image = || ImageRef::id(&entry.id);
    let snapshots = pool.list_snapshots(image()).await?.unwrap_or_default();
    for name in [IMAGE_SNAPSHOT, RESIZE_SNAPSHOT] {
        if snapshots.iter().any(|snapshot| snapshot.name == name) {
            pool.unprotect_snapshot(image(), name).await?;
            pool.remove_snapshot(image(), name).await?;
        }
    }
    Ok(())
}

/// Is this something of ours that no row names any more?
async fn nobody_names(control: &Control, entry: &TrashEntry) -> bool {
    let database = control.database();
    if let Some(instance) = disk_owner_of_name(&entry.name) {
        return match database.get_instance(instance).await {
            Ok(Some(row)) => row.state == InstanceState::Deleted || row.disks().all(|disk| disk.image_id != entry.id),
            // Not an instance of this database: perhaps another cloud's, or one that was lost with its rows.
            Ok(None) | Err(_) => false,
        };
    }
    if let Some(image) = entry.name.strip_suffix(UPLOAD_SUFFIX).and_then(|id| id.parse::<ImageId>().ok()) {
        // An upload is here only when nobody needs it any more; but is it this cloud's?
        return match database.get_image(image).await {
            Ok(Some(_)) => true,
            Ok(None) => database.is_deleted_image(image).await.unwrap_or(false),
            Err(_) => false,
        };
    }
    let Ok(image) = entry.name.parse::<ImageId>() else { return false };
    match database.get_image(image).await {
        // Deleted by a user of this cloud, or not of this cloud at all.
        Ok(None) => database.is_deleted_image(image).await.unwrap_or(false),
        // Unless it is the image's data, this is what an upload that broke off has left.
        Ok(Some(row)) => row.status == ImageStatus::Queued || !is_data_of(control, entry, image).await,
        Err(_) => false,
    }
}

/// Is this in the trash although an image still has it as its data?
async fn is_data_of(control: &Control, entry: &TrashEntry, image: ImageId) -> bool {
    let pool = control.ceph().pool(&control.settings().images_pool);
    match pool.info(image_name(image).into()).await {
        Ok(Some(current)) => current.id == entry.id,
        // Nothing has the image's name: somebody moved its data here by hand, and may want it back.
        Ok(None) | Err(_) => true,
    }
}

async fn purge_rows(control: &Control) {
    let now = control.now();
    let database = control.database();
    let purged = async {
        database.purge_nodes(earlier(now, NODES_KEPT)).await?;
        let commands = database.purge_commands(earlier(now, COMMANDS_KEPT)).await?;
        Ok::<_, cuttle_database::Error>((commands, database.purge_tokens(now).await?))
    };
    match purged.await {
        Ok((commands, tokens)) if commands + tokens > 0 => tracing::debug!(commands, tokens, "old rows removed"),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "old rows could not be removed"),
    }
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(now.as_micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}
