//! Any row, for property tests. Texts hold no NUL, which PostgreSQL cannot store and the API refuses.

use std::collections::BTreeMap;

use cuttle_model::clock::Timestamp;
use cuttle_model::disk::{Disk, DiskRole};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::ids::{Epoch, ImageId, ProjectId, RequestId, UserId};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use cuttle_model::instance::{Instance, InstanceState, Lock, LockedBy, PowerState, Task};
use cuttle_model::keypair::{KeypairKind, PublicKey};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, Subject};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rows;

fn text() -> impl Strategy<Value = String> {
    "[^\u{0}]{0,20}"
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

/// Sizes go as far as the column does.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![0..1000_u64, Just(i64::MAX as u64)]
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn fault() -> impl Strategy<Value = Fault> {
    let kinds = [FaultKind::NoValidHost, FaultKind::Storage, FaultKind::Hypervisor, FaultKind::Unknown, FaultKind::Internal];
    (select(kinds.to_vec()), text()).prop_map(|(kind, message)| Fault { kind, message })
}

pub fn flavor() -> impl Strategy<Value = Flavor> {
    let numbers = (any::<u32>(), size(), size(), size(), size());
    (text(), option::of(text()), numbers, any::<(bool, bool)>(), map()).prop_map(
        |(name, description, (vcpus, ram_mib, disk_gib, ephemeral_gib, swap_mib), (is_public, is_disabled), extra_specs)| {
            Flavor {
                id: FlavorId(rows::uuid().to_string()),
                name: format!("{name} {}", rows::uuid()),
                description,
                vcpus,
                ram_mib,
                disk_gib,
                ephemeral_gib,
                swap_mib,
                is_public,
                is_disabled,
                extra_specs,
            }
        },
    )
}

fn state() -> impl Strategy<Value = InstanceState> {
    prop_oneof![
        Just(InstanceState::Building),
        Just(InstanceState::Active),
        Just(InstanceState::Stopped),
        fault().prop_map(|fault| InstanceState::Error { fault }),
        Just(InstanceState::Deleted),
    ]
}

fn disk() -> impl Strategy<Value = Disk> {
    let role = select(DiskRole::ALL.to_vec());
    (role, text(), text(), text(), size()).prop_map(|(role, pool, name, image_id, size_bytes)| Disk {
        role,
        pool,
        name,
        image_id,
        size_bytes,
    })
}

fn public_key() -> impl Strategy<Value = PublicKey> {
    (select(KeypairKind::ALL.to_vec()), text()).prop_map(|(kind, text)| PublicKey { kind, text })
}

fn lock() -> impl Strategy<Value = Lock> {
    (select(LockedBy::ALL.to_vec()), option::of(text())).prop_map(|(by, reason)| Lock { by, reason })
}

/// Any tags: they hold no comma.
fn tags() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    proptest::collection::btree_set("[^\u{0},]{1,10}", 0..4)
}

/// Any instance without a host.
pub fn instance() -> impl Strategy<Value = Instance> {
    let texts = (text(), option::of(text()), text(), option::of(text()), option::of(text()));
    let states = (state(), option::of(select(Task::ALL.to_vec())), select(PowerState::ALL.to_vec()));
    let parts =
        (flavor(), any::<bool>(), 0..i64::MAX, any::<bool>(), (option::of(disk()), vec(disk(), 0..3), any::<bool>()), map());
    let times = (time(), time(), option::of(time()), option::of(time()));
    let notes = (option::of(public_key()), tags(), option::of(lock()), option::of(text()), any::<u32>());
    let addresses = (option::of(any::<std::net::Ipv4Addr>()), option::of(any::<std::net::Ipv6Addr>()));
    (texts, states, parts, times, notes, addresses, 0..i64::MAX).prop_map(
        |(texts, states, parts, times, notes, addresses, generation)| {
            let (name, description, hostname, key_name, availability_zone) = texts;
            let (public_key, tags, lock, reservation_id, launch_index) = notes;
            let (access_ipv4, access_ipv6) = addresses;
            let (state, task, power) = states;
            let (flavor, has_image, epoch, allowed, (root_disk, extra_disks, config_drive), metadata) = parts;
            let (created_at, updated_at, launched_at, deleted_at) = times;
            Instance {
                name,
                description,
                hostname,
                flavor,
                image_id: has_image.then(|| ImageId::from_uuid(rows::uuid())),
                state,
                task,
                power,
                epoch: Epoch(epoch),
                running_allowed: allowed.then_some(Epoch(epoch)),
                root_disk,
                extra_disks,
                config_drive,
                metadata,
                key_name,
                public_key,
                tags,
                lock,
                reservation_id,
                launch_index,
                access_ipv4,
                access_ipv6,
                availability_zone,
                created_at,
                updated_at,
                launched_at,
                deleted_at,
                generation,
                ..rows::instance(rows::project())
            }
        },
    )
}

/// Any image that is not deleted.
pub fn image() -> impl Strategy<Value = Image> {
    let statuses = select(vec![ImageStatus::Queued, ImageStatus::Saving, ImageStatus::Active, ImageStatus::Deactivated]);
    let texts = (option::of(text()), option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    let kinds = (statuses, select(Visibility::ALL.to_vec()), any::<bool>(), any::<bool>(), option::of(text()));
    let sizes = (size(), size(), option::of(size()), option::of(size()));
    let rest = (vec(text(), 0..4), map(), time(), time(), 0..i64::MAX);
    (texts, kinds, sizes, rest).prop_map(|(texts, kinds, sizes, rest)| {
        let (name, disk_format, container_format, checksum, sha512) = texts;
        let (status, visibility, protected, hidden, failure) = kinds;
        let (min_disk_gib, min_ram_mib, size_bytes, virtual_size_bytes) = sizes;
        let (tags, properties, created_at, updated_at, generation) = rest;
        Image {
            id: ImageId::from_uuid(rows::uuid()),
            project_id: ProjectId::from_uuid(rows::uuid()),
            name,
            status,
            visibility,
            protected,
            disk_format,
            container_format,
            min_disk_gib,
            min_ram_mib,
            size_bytes,
            virtual_size_bytes,
            checksum,
            sha512,
            hidden,
            failure,
            tags,
            properties,
            created_at,
            updated_at,
            generation,
        }
    })
}

/// Any operation on this subject.
pub fn operation(subject: Subject) -> impl Strategy<Value = Operation> {
    let kinds = (select(OperationKind::ALL.to_vec()), select(OperationStatus::ALL.to_vec()));
    let rest = (any::<u32>(), text(), map(), option::of(fault()), any::<bool>(), any::<bool>());
    (kinds, rest, text(), time(), option::of(time())).prop_map(move |(kinds, rest, request, started_at, finished_at)| {
        let (kind, status) = kinds;
        let (next_step, word, more, fault, cancel_requested, has_lease) = rest;
        let plain = rows::operation(subject, rows::node());
        Operation {
            kind,
            user_id: UserId::from_uuid(rows::uuid()),
            request_id: RequestId::from_stored(request),
            status,
            next_step,
            state: serde_json::json!({ "word": word, "more": more, "nothing": null }),
            fault,
            cancel_requested,
            lease: plain.lease.filter(|_| has_lease),
            started_at,
            finished_at,
            ..plain
        }
    })
}
