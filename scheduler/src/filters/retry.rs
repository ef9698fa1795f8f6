//! RetryFilter: the host was not tried before in vain.

use super::Verdict;
use crate::choice::{HostView, Request};

pub(super) fn check(view: &HostView<'_>, request: &Request<'_>) -> Verdict {
    Verdict::when(!request.excluded.contains(&view.host.id))
}
