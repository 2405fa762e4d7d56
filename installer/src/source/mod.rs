//! Where an image comes from, and how to open it: a local file, a URL, an artifact of a stream,
//! the live medium that this system was booted from, or an osmet file.
//!
//! Opening finds the signature too, and reads no byte of the image. Nothing is verified or
//! decoded here.

mod error;
mod file;
pub(crate) mod http;
pub(crate) mod listed;
mod live;
mod local;
pub(crate) mod located;
mod osmet;
pub mod stream_metadata;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use embed::digest::Sha256Digest;

use crate::cancel::Cancel;
use crate::observe::FetchNotice;

pub use error::{MirrorFailure, SourceError, Stage};
pub(crate) use file::open_sized;
pub use http::{Access, ClientIdentity, Header, Retries};
pub use listed::{ManifestPlace, manifest_beside};
pub use local::LocalImages;
pub use osmet::Repository;

/// The largest signature that is read, bytes.
pub(crate) const MAX_SIGNATURE: u64 = 1024 * 1024;

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A local file; its signature is `PATH.sig`.
    File(PathBuf),
    /// An `http` or `https` URL; its signature is at the same path with `.sig` appended.
    Url {
        /// The image.
        url: String,
        /// Where else it is, in the order in which to ask: a directory if it ends in a slash,
        /// else the file.
        mirrors: Vec<String>,
        /// How servers are talked to.
        access: Access,
    },
    /// The one artifact that a stream's metadata names.
    Stream(StreamQuery),
    /// The image that the running live system was booted from.
    LiveMedium,
    /// The image that an osmet file describes.
    Osmet {
        /// The osmet file.
        file: PathBuf,
        /// OSTree repository with the objects that it names.
        repository: PathBuf,
    },
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
    /// Where else the artifacts are, as in [`Location::Url`].
    pub mirrors: Vec<String>,
    /// How servers are talked to.
    pub access: Access,
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
    /// The same bytes as a local file, which can be read at any place.
    pub(crate) local: Option<Arc<File>>,
    /// The other end of a reader that comes over the network.
    pub(crate) remote: Option<Remote>,
}

/// What is known of a reader that comes over the network, for the thread that waits for it.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Ends the reader's waiting.
    pub(crate) stop: Cancel,
    /// What the reader meets.
    pub(crate) notices: Receiver<FetchNotice>,
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
    /// The live medium that this system runs from, or the osmet file on it: its builder verified
    /// the image, and whoever could change the digest could change the running installer as well.
    /// Enough by itself.
    LiveMedium,
    /// Unsigned stream metadata: an extra check beside the signature, never instead of it.
    StreamMetadata,
    /// A chunk manifest that somebody vouches for: as good as a signature over the file.
    ChunkManifest,
    /// A chunk manifest without a signature, which is no more than unsigned metadata.
    UnsignedManifest,
    /// The user, by name: enough by itself.
    User,
}

/// What is published and what the user wants are two different files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is published with sha256 {published}, which is not the wanted {wanted}")]
pub struct OtherDigest {
    /// Path or URL.
    pub name: String,
    /// The digest that its publisher tells.
    pub published: Sha256Digest,
    /// The digest that the user gave.
    pub wanted: Sha256Digest,
}

impl ExpectedDigest {
    /// The digest that the user wants `name` to have, if any, over the published one.
    pub(crate) fn choose(
        name: &str,
        published: Option<Self>,
        wanted: Option<Sha256Digest>,
    ) -> Result<Option<Self>, Box<OtherDigest>> {
        let Some(wanted) = wanted else {
            return Ok(published);
        };
        match published.map(|published| published.sha256) {
            Some(published) if published != wanted => Err(Box::new(OtherDigest {
                name: name.to_owned(),
                published,
                wanted,
            })),
            _ => Ok(Some(Self {
                sha256: wanted,
                authority: DigestAuthority::User,
            })),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url { url, .. } => match reqwest::Url::parse(url) {
                Ok(url) => f.write_str(&http::shown(&url)),
                Err(_) => f.write_str(url),
            },
            Self::Stream(q) => write!(f, "stream {} ({}, {})", q.stream, q.platform, q.format),
            Self::LiveMedium => f.write_str("the live medium"),
            Self::Osmet { file, .. } => write!(f, "{}", file.display()),
        }
    }
}

/// The URLs that the user named.
pub(crate) fn named<'u>(first: Option<&'u str>, mirrors: &'u [String]) -> Vec<&'u str> {
    first
        .into_iter()
        .chain(mirrors.iter().map(String::as_str))
        .collect()
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
