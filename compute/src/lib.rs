//! The agent of a compute host.
//!
//! It dials the control plane, introduces itself, takes commands and carries them out on libvirt:
//! creates guests paused, resumes them, ends them, reads their consoles. It keeps the libvirt secret
//! with the host's cephx key, probes whether hardware virtualization works, and adopts the guests that
//! it finds after its own restart.
//!
//! Always true:
//! - A guest is created paused, of a transient domain, and runs only when the control plane says so.
//! - No command of an epoch that was stopped here, or is older than the newest seen, starts anything.
//! - "Gone" is said only when no process of the guest exists.
//! - The host's cephx key is in memory and in libvirt's private secret, nowhere else.
//!
//! It never deletes or changes a disk, never touches a domain that it did not create, and never ends a
//! guest because it lost the control plane.
//!
//! Read [`agent`] first, then [`guest`] and [`actions`].

pub mod actions;
pub mod agent;
pub mod config;
pub mod console;
pub mod control;
pub mod domain_xml;
pub mod epochs;
pub mod guest;
pub mod hypervisor;
pub mod identity;
pub mod join;
pub mod librbd_conf;
pub mod libvirt;
pub mod news;
pub mod probe;
pub mod process;
mod resident;
pub mod secret;
pub mod state_dir;
pub mod storage_health;
