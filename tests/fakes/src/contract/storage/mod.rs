//! What every storage must do: the suite that Ceph and the cluster in memory both pass.

mod clients;
mod clones;
mod images;
mod snapshots;
mod streams;
mod trash;
mod watchers;

pub use clients::*;
pub use clones::*;
pub use images::*;
pub use snapshots::*;
pub use streams::*;
pub use trash::*;
pub use watchers::*;

use std::sync::Arc;

use cuttle_rbd_backend::{Connect, ImagePool, Metadata, Storage};

/// What a test works with: a client, a pool, and a prefix for the names of its images.
#[derive(Clone)]
pub struct Place {
    pub storage: Arc<dyn Storage>,
    pub pool: Arc<dyn ImagePool>,
    pub prefix: String,
    /// Further clients.
    pub cluster: Arc<dyn Connect>,
}

impl Place {
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// Another client.
    pub async fn connect(&self) -> Arc<dyn Storage> {
        self.cluster.connect().await.unwrap()
    }
}

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A test for each part of the contract. `$with_place` runs a part at a place, and cleans up after it.
#[macro_export]
macro_rules! storage_contract {
    ($with_place:path) => {
        $crate::storage_contract! { @ $with_place:
            an_image_is_made_once_with_features_and_owner
            an_image_of_another_owner_or_size_is_refused_and_a_half_made_one_completed
            metadata_is_set_and_removed_by_name_and_by_id
            growing_repeats_and_shrinking_is_refused
            renaming_repeats_and_takes_no_name_from_another
            names_that_tools_cannot_speak_of_are_refused
            each_change_of_a_snapshot_repeats
            a_snapshot_with_clones_goes_and_they_live_on
            what_is_not_there_is_gone_and_bad_names_are_refused
            an_image_goes_to_the_trash_comes_back_and_is_purged
            a_name_that_is_taken_is_not_restored_over
            a_watched_image_goes_to_the_trash_but_is_not_purged_and_says_who_watches
            a_parent_in_the_trash_is_kept_for_its_clones
            a_clone_is_grown_owned_and_made_once
            a_disk_of_another_owner_or_origin_is_refused_and_left_alone
            a_clone_of_a_clone_knows_its_parent
            a_parent_that_is_not_there_is_named
            zeroes_overwrite_what_is_not_fresh
            what_does_not_fit_is_refused_before_it_is_written
            watchers_are_told_apart_and_named_by_their_addresses
            a_dropped_writer_lets_go_of_its_watch
            a_client_fenced_by_its_address_is_told
            users_are_made_once_and_removed
            a_pool_that_is_not_there_is_named
            each_connection_has_addresses_of_its_own
        }
    };
    (@ $with_place:path: $($part:ident)+) => {$(
        #[tokio::test]
        async fn $part() {
            $with_place($crate::contract::storage::$part).await;
        }
    )+};
}
