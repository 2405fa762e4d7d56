//! Why a download failed.

use std::io;
use std::path::PathBuf;

use crate::cancel::Cancelled;
use crate::pipeline::ImageError;
use crate::source::SourceError;
use crate::verify::VerifyError;

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// It could not be opened.
    #[error("cannot fetch the artifact")]
    Source(#[source] SourceError),
    /// It can never be verified: no signature, no keys.
    #[error("the artifact cannot be verified")]
    Verify(#[source] VerifyError),
    /// Its bytes did not come, cannot be decoded, or nobody vouches for them.
    #[error("the artifact {url} is not good")]
    Image {
        /// Where it came from.
        url: String,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// The URL does not end in a file name.
    #[error("{url} does not end in a file name")]
    FileName {
        /// The URL.
        url: String,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
