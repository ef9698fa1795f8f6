//! The C library's heap, which librados, librbd, SQLite and our own code share.

use std::ffi::c_int;

/// Heaps for threads to allocate in. Left to itself the C library makes eight for each processor, and Ceph's client has
/// a dozen threads of its own.
const ARENAS: c_int = 2;
/// Larger blocks (a long answer, a password's work memory) are the system's again as soon as they are freed. Left to itself
/// the C library raises this to the size of the largest one that it has seen, and keeps the next ones.
const OWN_MAPPING_BYTES: c_int = 256 << 10;
/// What may stay unused at the end of a heap.
const SPARE_BYTES: c_int = 1 << 20;

/// Gives what was freed back to the system, wherever in the heaps it lies: by itself the C library does that only at
/// their ends. Takes milliseconds, in which other threads wait to allocate.
pub fn give_heap_back() {
    // SAFETY: it takes a number, and locks inside.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Keeps what was freed from piling up in the process. For the start of a program, before it has other threads.
pub fn keep_heap_small() {
    let settings =
        [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES), (libc::M_TRIM_THRESHOLD, SPARE_BYTES)];
    for (parameter, value) in settings {
        // SAFETY: it takes two numbers, and locks inside.
        if unsafe { libc::mallopt(parameter, value) } == 0 {
            tracing::debug!(parameter, value, "the C library's heap is left as it is");
        }
    }
}
