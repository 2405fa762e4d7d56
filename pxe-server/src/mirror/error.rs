//! Why a build did not get into the mirror, or out of it.

use std::io;
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::manifest::ManifestError;
use installer::cancel::Cancelled;
use installer::download::DownloadError;
use installer::pipeline::ImageError;
use installer::source::SourceError;
use installer::verify::VerifyError;

use super::{IndexError, NameError, PlainName};

/// Why a build did not get into the mirror, or out of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// A file or directory cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Another run works on this stream.
    #[error("another `pxe-server mirror` is at work in {}", .0.display())]
    Busy(PathBuf),
    /// The index cannot be used.
    #[error("the mirror in {} cannot be used", path.display())]
    Index {
        /// Directory of the stream.
        path: PathBuf,
        /// Cause.
        #[source]
        source: IndexError,
    },
    /// The stream's metadata did not come, or lack what is wanted.
    #[error("cannot tell what stream {stream} publishes")]
    Metadata {
        /// The stream.
        stream: PlainName,
        /// Cause.
        #[source]
        source: SourceError,
    },
    /// The metadata or the bundle are of another stream, or architecture.
    #[error("this is stream {got}, and {want} is wanted")]
    OtherStream {
        /// What is wanted.
        want: String,
        /// What it is.
        got: String,
    },
    /// The stream does not say what its build is called.
    #[error("stream {0} does not say which release it publishes")]
    NoRelease(PlainName),
    /// The stream has no such file.
    #[error("stream {stream} publishes no {artifact}")]
    Missing {
        /// The stream.
        stream: PlainName,
        /// What was looked for.
        artifact: &'static str,
    },
    /// A release or a file has a name that cannot be one here.
    #[error("the {what} cannot be kept under its name")]
    Name {
        /// What it is.
        what: &'static str,
        /// Cause.
        #[source]
        source: NameError,
    },
    /// Two different files have the same name.
    #[error("two files are called {0}")]
    SameName(String),
    /// A file did not come, or nobody vouches for it.
    #[error("cannot mirror the {artifact}")]
    Download {
        /// What it is.
        artifact: &'static str,
        /// Cause.
        #[source]
        source: Box<DownloadError>,
    },
    /// A file is not what it was a moment ago, or not what a manifest says.
    #[error("{} has sha256 {got}; it must be {want}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What it must be.
        want: Sha256Digest,
        /// What it is.
        got: Sha256Digest,
    },
    /// The image cannot be read, or nobody vouches for it.
    #[error("cannot take the image")]
    Image(#[source] Box<ImageError>),
    /// A file of a bundle is not signed by a key that is trusted.
    #[error("{file} of the bundle cannot be verified")]
    Verify {
        /// The file.
        file: PlainName,
        /// Cause.
        #[source]
        source: VerifyError,
    },
    /// Not a bundle, or a damaged one.
    #[error("{} is no usable bundle", path.display())]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// Cause.
        #[source]
        source: BundleFault,
    },
    /// There is nothing to export.
    #[error("{} holds no build yet", .0.display())]
    Empty(PathBuf),
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFault {
    /// Not a tar archive, or it ends too early.
    #[error("reading it failed")]
    Read(#[source] io::Error),
    /// It does not begin with a manifest.
    #[error("its first member is not manifest.json")]
    NoManifest,
    /// Its manifest is none.
    #[error("its manifest cannot be used")]
    Manifest(#[source] ManifestError),
    /// Its manifest lists no image.
    #[error("it has no image")]
    NoImage,
    /// A member that is no plain file of a plain name.
    #[error("a member is no plain file with a plain name")]
    Member(#[source] Option<NameError>),
    /// A member that its manifest does not list, or a second one of that name.
    #[error("it has a member {0} that its manifest does not list, or twice")]
    Unexpected(PlainName),
    /// A member that is larger or smaller than it can be.
    #[error("its member {name} has {got} bytes; {want} fit")]
    Size {
        /// The member.
        name: PlainName,
        /// What it has.
        got: u64,
        /// What it must have, or can have at most.
        want: u64,
    },
    /// A file that its manifest lists is not there.
    #[error("it has no member {0}")]
    Absent(PlainName),
}

/// Makes an [`io::Error`] one about `path`.
pub(super) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> MirrorError + 'a {
    move |source| MirrorError::File {
        what,
        path: path.to_owned(),
        source,
    }
}
