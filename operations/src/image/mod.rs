//! Images: bringing data in, and deleting.

mod delete;
mod format;
mod import;

pub use delete::{Delete, delete};
pub use import::{Import, import};

pub(crate) use import::Uploads;
