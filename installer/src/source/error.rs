//! Why an image could not be opened or read, with the place and the stage at which it happened.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use embed::osmet::OsmetError;

use crate::cancel::Cancelled;

/// Why an image could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A local file could not be opened or read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not an `http` or `https` URL.
    #[error("`{url}` is not an http or https URL")]
    Url {
        /// What was given.
        url: String,
    },
    /// A request header that is none, or one that is not the user's to set.
    #[error("{reason}")]
    Header {
        /// What is wrong, without the value.
        reason: String,
    },
    /// A certificate or key file that cannot be used.
    #[error("cannot use {} as {what}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What it was given as.
        what: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A certificate file without a certificate.
    #[error("{} holds no PEM certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The HTTP client could not be set up (TLS library, proxy variables).
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The server answered with a status that is no success.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
    },
    /// One redirect after the other.
    #[error("{url} redirects more than {limit} times")]
    Redirects {
        /// What was fetched.
        url: String,
        /// How many redirects are followed.
        limit: usize,
    },
    /// A redirect to a place that is not fetched from.
    #[error("{url} redirects to {to}, which is not followed: {reason}")]
    Redirect {
        /// What was fetched.
        url: String,
        /// Where it leads.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// Nothing came for too long.
    #[error("{url} was silent for {waited:?} while {stage}")]
    Stalled {
        /// What was fetched.
        url: String,
        /// At which point.
        stage: Stage,
        /// How long was waited.
        waited: Duration,
    },
    /// The file is another one than at the start of the transfer.
    #[error("{url} changed while downloading: it differs within the first {at} bytes")]
    Changed {
        /// What was fetched.
        url: String,
        /// How much was compared, bytes.
        at: u64,
    },
    /// A local file gave other bytes when it was read again.
    #[error("{name} changed while it was read")]
    ChangedFile {
        /// The file.
        name: String,
    },
    /// The file has another length than at the start of the transfer.
    #[error("{url} changed while downloading: it had {want} bytes and has {got} now")]
    ChangedLength {
        /// What was fetched.
        url: String,
        /// Bytes at first.
        want: u64,
        /// Bytes now.
        got: u64,
    },
    /// Every place of a file failed for good.
    #[error("none of {} places gives the file: {}", failures.len(), list(failures))]
    Mirrors {
        /// Each place and why.
        failures: Vec<MirrorFailure>,
    },
    /// No answer came.
    #[error("cannot fetch {url}")]
    Transport {
        /// What was fetched.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Reading failed on the way.
    #[error("reading {name} failed after {offset} bytes")]
    Read {
        /// Path or URL.
        name: String,
        /// Bytes read before.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source ended at another length than it had promised.
    #[error("{name} ended after {got} of {want} bytes")]
    Length {
        /// Path or URL.
        name: String,
        /// Bytes promised.
        want: u64,
        /// Bytes given.
        got: u64,
    },
    /// A signature or metadata document larger than any real one.
    #[error("{name} is larger than {limit} bytes")]
    TooLarge {
        /// Path or URL.
        name: String,
        /// What is accepted.
        limit: u64,
    },
    /// Stream metadata that is not of the known shape.
    #[error("stream metadata {url} is not valid")]
    Metadata {
        /// The document.
        url: String,
        /// Where it is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The stream has no such artifact.
    #[error("stream {stream} has no {platform} image in format {format} for {architecture}")]
    NoArtifact {
        /// Stream name.
        stream: String,
        /// Architecture asked for.
        architecture: String,
        /// Platform asked for.
        platform: String,
        /// Format asked for.
        format: String,
    },
    /// The format consists of several files and one image was wanted.
    #[error("format {format} of stream {stream} consists of {count} artifacts, not of one image")]
    SeveralArtifacts {
        /// Stream name.
        stream: String,
        /// Format asked for.
        format: String,
        /// How many there are.
        count: usize,
    },
    /// This system was not booted from a live medium with an image.
    #[error("no live medium is described in {}", path.display())]
    NoMedium {
        /// Where the description would be.
        path: PathBuf,
        /// Why it could not be read.
        #[source]
        source: io::Error,
    },
    /// A chunk manifest at a URL for an image that is a local file.
    #[error("the chunk manifest {url} is at a URL, and the image is a local file")]
    ManifestUrl {
        /// The manifest.
        url: String,
    },
    /// The live medium's description is not of the known shape.
    #[error("the live medium's description {} is not valid", path.display())]
    Medium {
        /// The description.
        path: PathBuf,
        /// Where it is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// An osmet file that is damaged, or does not fit the repository.
    #[error("cannot make the image of osmet file {}", path.display())]
    Osmet {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<OsmetError>,
    },
    /// This system has no image for the disk by itself.
    #[error(
        "cannot perform offline install; metadata missing: there is neither {} nor an osmet file \
         for {architecture} and sectors of {sector_size} bytes in {}",
        medium.display(),
        osmets.display()
    )]
    NoLocal {
        /// Where a live medium's description would be.
        medium: PathBuf,
        /// Where osmet files would be.
        osmets: PathBuf,
        /// Architecture asked for.
        architecture: String,
        /// Sector size of the disk, bytes.
        sector_size: u32,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Name lookup, connection, TLS.
    Connect,
    /// Waiting for the answer's status and headers.
    Headers,
    /// Reading the answer's body.
    Body {
        /// Bytes of the file before it fell silent.
        at: u64,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connecting"),
            Self::Headers => f.write_str("waiting for its answer"),
            Self::Body { at } => write!(f, "reading the body at byte {at}"),
        }
    }
}

/// One of several places of a file, and why it did not give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The place.
    pub url: String,
    /// Why, causes included.
    pub reason: String,
}

fn list(failures: &[MirrorFailure]) -> String {
    let lines: Vec<&str> = failures.iter().map(|f| f.reason.as_str()).collect();
    lines.join("; ")
}

impl SourceError {
    /// What is said when no place is left: why the `last` one failed, with the `earlier` ones if
    /// there are any.
    pub(crate) fn of_places(
        mut earlier: Vec<MirrorFailure>,
        last: MirrorFailure,
        error: Self,
    ) -> Self {
        if earlier.is_empty() {
            return error;
        }
        earlier.push(last);
        Self::Mirrors { failures: earlier }
    }

    /// What a reader's error means: itself, if it is one of ours on its way through a `Read`.
    pub(crate) fn of_reader(name: &str, offset: u64, source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => error,
            Err(source) => Self::Read {
                name: name.to_owned(),
                offset,
                source,
            },
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
            }
            Self::Transport { source, .. } => !source.is_builder(),
            Self::Stalled { .. } | Self::Read { .. } => true,
            _ => false,
        }
    }

    /// The error and its causes in one line.
    pub(crate) fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}
