//! The image path as running threads.

use crate::cancel::Cancelled;
use crate::decode::DecodeError;
use crate::source::SourceError;
use crate::verify::VerifyError;

/// Why an image could not be read to its verified end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The source failed.
    #[error("cannot read the image")]
    Source(#[source] SourceError),
    /// The compressed data is not good.
    #[error("cannot decode {name}")]
    Decode {
        /// Path or URL of the image.
        name: String,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// Nobody vouches for the bytes.
    #[error("image failed verification")]
    Verify(#[source] VerifyError),
    /// The unpacked image could not be written.
    #[error("cannot write the unpacked image")]
    Write(#[source] std::io::Error),
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
