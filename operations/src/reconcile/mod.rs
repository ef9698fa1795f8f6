//! Reconcile: compares the database with Ceph and with what agents find on their hosts, in both directions, and says what
//! does not fit.
//!
//! ```text
//!   images in pools  ─► rows by the owner that they name      rows ─► images by their id, watchers
//!   trash, users     ─► rows                                  rows ─► claims, operations, commands
//!   guests, secrets  ─► rows                                  rows ─► guests
//! ```
//! What always holds:
//! - Images are known by their ids and the owner in their metadata, never by their name alone. What does not name us as its
//!   owner is foreign: counted, and never touched.
//! - Nothing that is being worked on is a finding. What looks wrong is looked at again, world and row, and counts only if
//!   nothing has changed between: so requests may go on meanwhile.
//! - Memory is bounded: everything is read by pages, and of each kind so many findings are kept; all are counted.
//! - What could not be looked at is said, and hinders nothing else.
//! - It changes nothing but this, and only when it is asked to: an orphan whose owner this database knows, and that nobody
//!   has open, goes to the trash, from where it can come back.

mod claims;
mod disks;
mod finding;
mod hosts;
mod images;
mod owner;
mod report;
mod stuck;
mod trash;
mod users;

pub use finding::{Finding, Kind};
pub use report::{ForeignImage, LookedAt, Mode, Report};

use cuttle_model::clock::Timestamp;

use crate::Control;

/// Rows or images that are looked at with one query.
const PAGE: usize = 100;

/// Why a part was not looked at to its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Ceph(#[from] cuttle_rbd_backend::Error),
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}

/// What every part works with.
struct Look<'a> {
    control: &'a Control,
    mode: Mode,
    began_at: Timestamp,
    report: Report,
}

/// Looks at everything once.
pub async fn reconcile(control: &Control, mode: Mode) -> cuttle_database::Result<Report> {
    let began_at = control.now();
    let mut look = Look { control, mode, began_at, report: Report::new(mode, began_at) };
    let settings = control.settings();
    for pool in [&settings.vms_pool, &settings.images_pool, &settings.volumes_pool] {
        let looked = images::look(&mut look, pool).await;
        look.note(&format!("the images in pool {pool}"), looked)?;
        let looked = trash::look(&mut look, pool).await;
        look.note(&format!("the trash of pool {pool}"), looked)?;
    }
    let looked = disks::look(&mut look).await;
    look.note("the instances' disks", looked)?;
    let looked = disks::look_at_images(&mut look).await;
    look.note("the images' data", looked)?;
    let looked = users::look(&mut look).await;
    look.note("the cephx identities", looked)?;
    claims::look(&mut look).await?;
    hosts::look(&mut look).await?;
    stuck::look(&mut look).await?;
    look.report.ended_at = control.now();
    Ok(look.report)
}

impl Look<'_> {
    /// A part that Ceph cut short is said and left; without the database nothing can go on.
    fn note(&mut self, what: &str, looked: Result<(), Stop>) -> cuttle_database::Result<()> {
        match looked {
            Ok(()) => Ok(()),
            Err(Stop::Ceph(error)) => {
                self.report.unchecked.push(format!("{what}: {error}"));
                Ok(())
            }
            Err(Stop::Database(error)) => Err(error),
        }
    }
}
