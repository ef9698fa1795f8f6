//! CoreFilter: enough virtual CPUs are unclaimed, under the host's overcommit ratio.

use super::Verdict;
use crate::choice::{HostView, Request};

pub(super) fn check(view: &HostView<'_>, request: &Request<'_>) -> Verdict {
    let limit = view.host.resources.as_ref().map_or(0, |resources| resources.vcpu_limit());
    Verdict::enough(u64::from(request.flavor.vcpus), limit.saturating_sub(view.usage.vcpus), "vCPU")
}

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::Usage;

    use super::*;
    use crate::test_hosts::{flavor, host};

    #[test]
    fn the_ratio_counts() {
        let mut host = host("a", 1);
        let flavor = flavor(4, 1);
        let request = Request { flavor: &flavor, disk_bytes: 0, excluded: &[] };
        let usage = Usage { vcpus: 5, ..Usage::default() };
        assert_ne!(check(&HostView { host: &host, usage }, &request), Verdict::Pass, "8 threads, 5 claimed");
        host.resources.as_mut().unwrap().cpu_ratio_milli = 1500;
        assert_eq!(check(&HostView { host: &host, usage }, &request), Verdict::Pass);
    }
}
