//! The options that an image is created or cloned with.

use super::errno::{Result, check};
use super::raw;
use std::ptr;

/// layering, exclusive-lock, object-map, fast-diff, deep-flatten. Always named: a clone without them inherits its parent's.
pub(crate) const DISK_FEATURES: u64 = (raw::RBD_FEATURE_LAYERING
    | raw::RBD_FEATURE_EXCLUSIVE_LOCK
    | raw::RBD_FEATURE_OBJECT_MAP
    | raw::RBD_FEATURE_FAST_DIFF
    | raw::RBD_FEATURE_DEEP_FLATTEN) as u64;

pub(crate) struct ImageOptions {
    handle: raw::rbd_image_options_t,
}

impl ImageOptions {
    fn with_features(features: u64) -> Result<ImageOptions> {
        let mut handle: raw::rbd_image_options_t = ptr::null_mut();
        // SAFETY: librbd stores a new handle, owned by the value made here.
        unsafe { raw::rbd_image_options_create(&mut handle) };
        let options = ImageOptions { handle };
        options.set(raw::RBD_IMAGE_OPTION_FEATURES, features)?;
        Ok(options)
    }

    pub(crate) fn for_image() -> Result<ImageOptions> {
        ImageOptions::with_features(DISK_FEATURES)
    }

    /// Clone format 2: the parent's snapshot may be deleted while clones live on.
    pub(crate) fn for_clone() -> Result<ImageOptions> {
        let options = ImageOptions::with_features(DISK_FEATURES)?;
        options.set(raw::RBD_IMAGE_OPTION_CLONE_FORMAT, 2)?;
        Ok(options)
    }

    fn set(&self, option: u32, value: u64) -> Result<()> {
        let option = i32::try_from(option).map_err(|_| super::errno::Errno::INVALID)?;
        // SAFETY: a live handle.
        check(unsafe { raw::rbd_image_options_set_uint64(self.handle, option, value) }).map(drop)
    }

    pub(super) fn handle(&self) -> raw::rbd_image_options_t {
        self.handle
    }
}

impl Drop for ImageOptions {
    fn drop(&mut self) {
        // SAFETY: made in `with_features`, destroyed once.
        unsafe { raw::rbd_image_options_destroy(self.handle) };
    }
}
