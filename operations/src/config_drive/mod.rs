//! The config drive: a small read-only disk that tells a guest who it is, without a network.
//!
//! ```text
//! instance, user data, keys, password, vendor data ─► contents (files) ─► iso (bytes) ─► RBD image `<id>_disk.config`
//! ```
//! Always true: a drive that was finished says so in its metadata and is never written again, so that
//! repeating the step changes nothing that a guest may have read; the administrator's password is on the
//! drive and nowhere else ([`password`]).

mod contents;
mod iso;
pub mod password;

use bytes::Bytes;
use cuttle_model::disk::{Disk, DiskRole, disk_name, owner};
use cuttle_model::fault::FaultKind;
use cuttle_model::instance::Instance;
use cuttle_rbd_backend::{FreshImage, ImageRef, Metadata, WriterOptions};
use serde::Deserialize;

use crate::disks::DiskOwner;
use crate::engine::{Context, StepError};
use contents::{Contents, Key};
use password::AdminPassword;

pub use contents::decode_user_data;

/// Config drives are this large or a multiple of it: one object of Ceph, of which only what is written
/// takes room. So one that was begun has the size of the next attempt.
const UNIT_BYTES: u64 = 4 << 20;

/// Which instances have a config drive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigDrivePolicy {
    /// Those whose users ask for it, and those that are given what only it can carry: user data, a key or
    /// a password.
    #[default]
    WhenNeeded,
    /// All of them, whatever is asked for.
    Always,
}

/// What a user gives for the guest's own use.
#[derive(Clone, Default)]
pub struct GuestInputs {
    /// Whether there shall be a config drive, if the user said so.
    pub config_drive: Option<bool>,
    /// What the guest runs when it first boots, in base64.
    pub user_data: Option<String>,
    pub admin_password: Option<AdminPassword>,
}

/// User data often holds secrets, so it is not shown.
impl std::fmt::Debug for GuestInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user_data_bytes = self.user_data.as_ref().map(String::len);
        f.debug_struct("GuestInputs")
            .field("config_drive", &self.config_drive)
            .field("user_data_bytes", &user_data_bytes)
            .field("admin_password", &self.admin_password)
            .finish()
    }
}

/// The user wants no config drive, but something that only it can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a guest can be given this only on a config drive, and none is wanted")]
pub struct DriveNeeded;

impl ConfigDrivePolicy {
    /// Whether an instance has a config drive. `carries`: it is given what only a drive can carry.
    pub fn decide(self, asked: Option<bool>, carries: bool) -> Result<bool, DriveNeeded> {
        match (self, asked) {
            (Self::Always, _) | (Self::WhenNeeded, Some(true)) => Ok(true),
            (Self::WhenNeeded, None) => Ok(carries),
            (Self::WhenNeeded, Some(false)) if carries => Err(DriveNeeded),
            (Self::WhenNeeded, Some(false)) => Ok(false),
        }
    }
}

impl GuestInputs {
    /// Is there something that only a config drive can carry?
    pub fn need_drive(&self) -> bool {
        self.user_data.is_some() || self.admin_password.is_some()
    }
}

/// Makes the drive, or finds that it is there.
pub(crate) async fn make(context: &Context, owner: DiskOwner) -> Result<Disk, StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().vms_pool);
    let name = disk_name(owner.instance_id, DiskRole::Config);
    let password = control.admin_passwords().get(owner.instance_id);
    let drive = match pool.info(ImageRef::Name(name.clone())).await? {
        Some(info) if is_complete(pool.metadata(ImageRef::id(info.id.clone())).await?) => info,
        _ => {
            let bytes = bytes(context, password.as_ref()).await?;
            let size_bytes = (bytes.len() as u64).next_multiple_of(UNIT_BYTES);
            let made = pool.create_image(&name, size_bytes, &owner.metadata(context)).await?;
            // An attempt that broke off may have left other bytes.
            let options = WriterOptions { fresh: FreshImage::No, ..WriterOptions::default() };
            let writer = pool.open_writer(ImageRef::id(made.id.clone()), options).await?;
            writer.write_at(0, Bytes::from(bytes)).await?;
            writer.finish().await?;
            let complete = Metadata::from([(owner::COMPLETE.to_owned(), "1".to_owned())]);
            pool.set_metadata(ImageRef::id(made.id.clone()), &complete).await?;
            made
        }
    };
    if let Some(password) = password {
        password.written();
        control.admin_passwords().forget(owner.instance_id);
    }
    Ok(owner.disk(context, DiskRole::Config, drive))
}

fn is_complete(metadata: Option<Metadata>) -> bool {
    metadata.is_some_and(|metadata| metadata.contains_key(owner::COMPLETE))
}

async fn bytes(context: &Context, password: Option<&AdminPassword>) -> Result<Vec<u8>, StepError> {
    let control = &context.control;
    let instance = context.instance().await?;
    let user_data = control.database().get_user_data(instance.id).await?;
    let contents = Contents {
        instance: &instance,
        user_data: user_data.as_deref(),
        keys: keys_of(&instance),
        admin_password: password.map(AdminPassword::secret),
        vendor_data: &control.settings().vendor_data,
        random_seed: contents::random_seed(control.ids()),
    };
    let failed = |message: String| StepError::failed(FaultKind::Internal, format!("the config drive cannot be made: {message}"));
    let files = contents.files().map_err(|error| failed(error.to_string()))?;
    iso::image(files).map_err(|error| failed(error.to_string()))
}

/// The key that the instance was made with.
fn keys_of(instance: &Instance) -> Vec<Key<'_>> {
    let key = instance.key_name.as_deref().zip(instance.public_key.as_ref());
    key.map(|(name, key)| Key { name, kind: key.kind.as_str(), text: &key.text }).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_made_when_asked_for_or_needed_or_always() {
        use ConfigDrivePolicy::{Always, WhenNeeded};
        for (policy, asked, carries, expected) in [
            (WhenNeeded, None, false, Ok(false)),
            (WhenNeeded, None, true, Ok(true)),
            (WhenNeeded, Some(true), false, Ok(true)),
            (WhenNeeded, Some(false), false, Ok(false)),
            (WhenNeeded, Some(false), true, Err(DriveNeeded)),
            (Always, None, false, Ok(true)),
            (Always, Some(false), true, Ok(true)),
        ] {
            assert_eq!(policy.decide(asked, carries), expected, "{policy:?} {asked:?} {carries}");
        }
    }
}
