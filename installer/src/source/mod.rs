//! Where an image comes from, and how to open it: a local file, a URL, an artifact of a stream,
//! or the live medium that this system was booted from.
//!
//! Opening finds the signature too, and reads no byte of the image. Nothing is verified or
//! decoded here.

mod file;
pub(crate) mod http;
mod live;
pub mod stream_metadata;

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use embed::digest::Sha256Digest;

use crate::cancel::{Cancel, Cancelled};
use crate::observe::Observer;

pub(crate) use file::open_sized;
pub use http::Retries;

/// The largest signature that is read, bytes.
const MAX_SIGNATURE: u64 = 1024 * 1024;

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A local file; its signature is `PATH.sig`.
    File(PathBuf),
    /// An `http` or `https` URL; its signature is at the same path with `.sig` appended.
    Url {
        /// The image.
        url: String,
        /// How often a failed request is tried again.
        retries: Retries,
    },
    /// The one artifact that a stream's metadata names.
    Stream(StreamQuery),
    /// The image that the running live system was booted from.
    LiveMedium,
}

/// Which artifact of which stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamQuery {
    /// Directory of the metadata files; `STREAM.json` is joined to it.
    pub base_url: String,
    /// Stream name, for example `stable`.
    pub stream: String,
    /// Machine architecture as `uname -m` prints it.
    pub architecture: String,
    /// Platform, for example `metal`.
    pub platform: String,
    /// Artifact format, for example `raw.xz`.
    pub format: String,
    /// How often a failed request is tried again.
    pub retries: Retries,
}

/// An opened image: its bytes as published, still compressed and not verified.
pub struct ImageStream {
    /// The bytes.
    pub reader: Box<dyn Read + Send>,
    /// What to call it in messages: a path or a URL.
    pub name: String,
    /// Size in bytes, when the source tells it. The reader gives exactly as many or fails.
    pub length: Option<u64>,
    /// The detached signature over the bytes.
    pub signature: Signature,
    /// A digest that the bytes must have.
    pub digest: Option<ExpectedDigest>,
    /// Sector size in bytes that the source promises, checked again in the image itself.
    pub sector_size: Option<u32>,
}

impl fmt::Debug for ImageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageStream")
            .field("name", &self.name)
            .field("length", &self.length)
            .field("signature", &self.signature)
            .field("digest", &self.digest)
            .field("sector_size", &self.sector_size)
            .finish_non_exhaustive()
    }
}

/// A detached OpenPGP signature, or where none was found.
#[derive(Clone, PartialEq, Eq)]
pub enum Signature {
    /// The signature's bytes, binary or armored.
    Detached(Vec<u8>),
    /// There is none.
    Absent {
        /// Path or URL that was tried.
        looked_at: String,
        /// The server's answer, if a server was asked.
        status: Option<u16>,
    },
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Detached(bytes) => write!(f, "Detached({} bytes)", bytes.len()),
            Self::Absent { looked_at, .. } => write!(f, "Absent({looked_at})"),
        }
    }
}

/// A digest that the bytes of an [`ImageStream`] must have, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedDigest {
    /// The digest of the bytes as read.
    pub sha256: Sha256Digest,
    /// Whether it makes a signature unnecessary.
    pub authority: DigestAuthority,
}

/// Who vouches for an [`ExpectedDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAuthority {
    /// The live medium that this system runs from: its builder verified the image, and whoever
    /// could change the digest could change the running installer as well. Enough by itself.
    LiveMedium,
    /// Unsigned stream metadata: an extra check beside the signature, never instead of it.
    StreamMetadata,
}

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
    /// The HTTP client could not be set up (TLS certificates, proxy variables).
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
    /// The live medium's description is not of the known shape.
    #[error("the live medium's description {} is not valid", path.display())]
    Medium {
        /// The description.
        path: PathBuf,
        /// Where it is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Location {
    /// Opens the image and reads its signature.
    pub fn open(
        &self,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<ImageStream, SourceError> {
        match self {
            Self::File(path) => file::open(path),
            Self::Url { url, retries } => {
                let artifact = stream_metadata::Artifact::at(url)?;
                http::Fetcher::new(*retries, observer, cancel)?.open(&artifact)
            }
            Self::Stream(query) => stream_metadata::open(query, observer, cancel),
            Self::LiveMedium => live::open(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url { url, .. } => f.write_str(url),
            Self::Stream(q) => write!(f, "stream {} ({}, {})", q.stream, q.platform, q.format),
            Self::LiveMedium => f.write_str("the live medium"),
        }
    }
}

/// Reads all of `reader` unless it holds more than `limit` bytes.
fn read_limited(
    reader: impl Read,
    limit: u64,
    name: &str,
) -> Result<Result<Vec<u8>, io::Error>, SourceError> {
    let mut bytes = Vec::new();
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge {
            name: name.to_owned(),
            limit,
        });
    }
    Ok(read.map(|_| bytes))
}
