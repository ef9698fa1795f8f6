//! Each operation, made to fail, run twice and cut off at every point, on stand-ins for Ceph and libvirt and a real SQLite:
//! it ends, one way or the other, and the five invariants hold.
//!
//! `CUTTLE_KIT_ONLY=create_instance` runs one operation's points, and a part of a scenario's name just those.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod kit;

use kit::{operations, scenarios};

#[test]
fn every_operation_ends_well_wherever_it_is_cut_off() {
    let entries = operations::all();
    let missing: Vec<_> = kit::kinds_without_entry(&entries);
    assert!(missing.is_empty(), "these operations have no entry in the kit's table: {missing:?}");
    let mut scenarios: Vec<_> = entries.iter().flat_map(|entry| scenarios::of(entry, scenarios::Cuts::Everywhere)).collect();
    if let Ok(only) = std::env::var("CUTTLE_KIT_ONLY") {
        scenarios.retain(|scenario| scenario.to_string().contains(&only));
    }
    let points = kit::run_all(kit::memory_world, scenarios, 4);
    println!("unwind kit, stand-ins: {points}");
}
