//! The only place with `unsafe`: librados and librbd, in three layers.
//!
//! ```text
//! raw            what bindgen made of the headers (generate.sh makes it again)
//! the rest       safe, blocking wrappers: one C call each, owned handles, errno kept; and aio as futures
//! header check   tests/header_check.rs compiles C that compares raw.rs with the installed headers
//! ```
//!
//! What always holds: a handle lives as long as whatever needs it (an image keeps its pool's context, that keeps the
//! connection); memory given to an aio call is owned by its completion until the callback; `rbd_close` is never called
//! from a callback; no wrapper panics on what a caller or Ceph gives it.
//!
//! What it does not do: deadlines, threads, retries, idempotence and names for errors are the crate's, one layer up.
#![allow(unsafe_code)]

pub(crate) mod aio;
pub(crate) mod connection;
pub(crate) mod errno;
mod exit;
pub(crate) mod heap;
pub(crate) mod image;
pub(crate) mod ioctx;
pub(crate) mod metadata;
pub(crate) mod object;
pub(crate) mod omap;
pub(crate) mod options;
pub(crate) mod probe;
pub(crate) mod snapshot;
pub(crate) mod text;
pub(crate) mod trash;

#[rustfmt::skip]
#[allow(non_camel_case_types, non_upper_case_globals, missing_docs, dead_code, clippy::all)]
pub(crate) mod raw;
