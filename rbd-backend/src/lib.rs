//! Ceph for Cuttle: images, snapshots, clones, trash, users and capacity, through librados and librbd.
//!
//! ```text
//! Cluster ─ one connection ─► Pool ─► images by name or id ─► ImageWriter / ImageReader
//!    │                          │                                  │
//!    └── workers: bounded threads for what blocks                  └── librbd's completions
//! ```
//!
//! What always holds:
//! - The only crate that knows Ceph; no subprocess; `unsafe` only in `sys`.
//! - No call blocks a thread of the async runtime, and each ends by its deadline (`Limits`, or `with_timeout`). A change
//!   whose deadline passed is [`Class::Unknown`]: it may still happen, so read the world again before repeating it.
//! - Calls that hang in Ceph are counted and capped ([`Stats`]); beyond the cap new ones are refused at once.
//! - Changes are safe to repeat: what is already so is a success. Those of one image come one after another, also after
//!   one that hangs.
//! - An image's data goes only through the trash.
//!
//! What it does not do: decide who owns what, retry, or keep state of its own.

mod call;
mod capacity;
mod client;
mod clone;
mod cluster;
mod config;
mod crush;
mod error;
mod fence;
mod health;
mod image;
mod listing;
mod monitor;
mod owner;
mod pool;
mod reader;
mod rights;
mod snapshot;
mod storage;
mod sys;
mod touch;
mod trash;
mod turns;
mod watcher;
mod workers;
mod writer;

pub use capacity::{FullBecause, PoolCapacity, PoolState, PoolUse};
pub use client::ClientCaps;
pub use clone::ClonePlan;
pub use cluster::Cluster;
pub use config::{ClusterConfig, KeySource, Limits};
pub use crush::{Layout, PoolLayout};
pub use error::{Class, Effect, Error, Reason};
pub use health::{Health, HealthCheck, Severity};
pub use image::{ImageInfo, ImageName, ImageRef, ParentInfo};
pub use listing::{ImageFacts, Place};
pub use monitor::MonitorAddress;
pub use owner::Metadata;
pub use pool::Pool;
pub use reader::ImageReader;
pub use rights::{MissingRight, Right};
pub use snapshot::{Protection, Snapshot};
pub use storage::{ClusterAddress, Connect, ImagePool, ReadImage, Storage, WriteImage};
pub use sys::errno::Errno;
pub use sys::heap::{give_heap_back, keep_heap_small};
pub use trash::{Deferment, TrashEntry, TrashSource};
pub use watcher::Watcher;
pub use workers::Stats;
pub use writer::{FreshImage, ImageWriter, WriterOptions};
