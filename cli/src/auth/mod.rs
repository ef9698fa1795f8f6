//! Whose cloud it is and who asks: settings as OpenStack's clients keep them, turned into a token and
//! the address of the operator's API.

pub mod clouds;
pub mod environment;
pub mod settings;
pub mod token;

pub use environment::Environment;
pub use settings::{Method, Settings};
pub use token::{Granted, ask};
