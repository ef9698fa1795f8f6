//! The unwind kit of `operations` on a real Ceph and a real libvirtd: every step of create and delete, and a sample of the rest that rotates
//! with its seed. With `CUTTLE_KIT_FULL=1` it is everything.
//!
//! The seed is printed, and `CUTTLE_KIT_SEED` sets it; `CUTTLE_KIT_ONLY` runs the scenarios whose name has its text. Needs `CUTTLE_TEST_CEPH_CONF` and `CUTTLE_TEST_LIBVIRT_URI`.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

#[path = "../../operations/tests/kit/mod.rs"]
mod kit;

use cuttle_model::operation::OperationKind;
use kit::{operations, scenarios};

/// How many of the other operations' points are tried in one run.
const SAMPLE: usize = 8;

#[test]
fn every_operation_ends_well_on_real_parts() {
    let full = std::env::var_os("CUTTLE_KIT_FULL").is_some();
    let seed = kit::seed();
    println!("unwind kit, real parts: CUTTLE_KIT_SEED={seed}");
    // What goes from one host to another is cut off on the stand-ins only.
    let entries: Vec<_> = operations::all().into_iter().filter(|entry| entry.hosts == 1).collect();
    let (always, others): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|entry| full || matches!(entry.kind, OperationKind::CreateInstance | OperationKind::DeleteInstance));
    let cuts = if full { scenarios::Cuts::Steps } else { scenarios::Cuts::EachStepOnce { seed } };
    let mut scenarios: Vec<_> = always.into_iter().flat_map(|entry| scenarios::of(entry, cuts)).collect();
    let rest: Vec<_> = others.into_iter().flat_map(|entry| scenarios::of(entry, scenarios::Cuts::Steps)).collect();
    scenarios.extend(kit::sample(rest, SAMPLE, seed));
    if let Ok(only) = std::env::var("CUTTLE_KIT_ONLY") {
        scenarios.retain(|scenario| scenario.to_string().contains(&only));
    }
    let points = kit::run_all(kit::real_world, scenarios, 1);
    println!("unwind kit, real parts: {points}");
}
