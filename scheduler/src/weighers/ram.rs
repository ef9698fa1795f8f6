//! RAMWeigher: more unclaimed memory is better, so that instances spread.

use crate::choice::HostView;

pub(super) fn raw(view: &HostView<'_>) -> f64 {
    let limit = view.host.resources.as_ref().map_or(0, |resources| resources.ram_limit_mib());
    limit.saturating_sub(view.usage.ram_mib) as f64
}
