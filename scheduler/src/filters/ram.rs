//! RamFilter: enough memory is unclaimed, under the host's overcommit ratio and its reserve.

use super::Verdict;
use crate::choice::{HostView, Request};

pub(super) fn check(view: &HostView<'_>, request: &Request<'_>) -> Verdict {
    let limit = view.host.resources.as_ref().map_or(0, |resources| resources.ram_limit_mib());
    Verdict::enough(request.flavor.ram_mib, limit.saturating_sub(view.usage.ram_mib), "MiB")
}
