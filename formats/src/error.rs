//! Why an image file is not taken. The text is for whoever uploaded it.

use crate::OutsideError;
use crate::detect::Format;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content is something else than what was declared.
    #[error("its content is {found}, not {} as disk_format says", declared.as_str())]
    WrongFormat { declared: Format, found: &'static str },
    /// Part of the disk is in another file.
    #[error("it needs another file ({0}); only images that stand alone are taken")]
    NotAlone(&'static str),
    #[error("its virtual size of {size_bytes} bytes is more than the {limit_bytes} bytes that are allowed")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    /// A valid image that uses what these readers do not know.
    #[error("it uses {0}, which is not supported")]
    Unsupported(&'static str),
    /// It ends before what it refers to.
    #[error("it is truncated: {what} lies beyond its end")]
    Truncated { what: &'static str },
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// The source failed; nothing is known of the file.
    #[error("it could not be read: {0}")]
    Source(#[source] OutsideError),
    #[error("it could not be written: {0}")]
    Sink(#[source] OutsideError),
}

impl Error {
    /// Was it the file's fault? Otherwise the same file may do another time.
    pub fn is_files(&self) -> bool {
        !matches!(self, Self::Source(_) | Self::Sink(_))
    }
}
