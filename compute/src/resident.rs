//! How much memory the agent's own process takes.

/// In bytes; `None` where the kernel does not say.
pub fn bytes() -> Option<u64> {
    pages(&std::fs::read_to_string("/proc/self/statm").ok()?)?.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// The second number: the pages that are in memory.
fn pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_more_than_nothing() {
        assert_eq!((pages("4961 1234 900 1 0 2 0\n"), pages("4961"), pages("")), (Some(1234), None, None));
        assert!(bytes().is_some_and(|bytes| bytes > 100_000), "{:?}", bytes());
    }
}
