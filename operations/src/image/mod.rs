//! Images: bringing data in, getting it out, and deleting.

mod convert;
mod delete;
mod download;
mod import;
mod receive;
mod uploads;

pub use delete::{Delete, delete};
pub use download::{Data, data};
pub use import::{Import, import};

pub(crate) use uploads::Uploads;
