//! Whether the bytes of an image are the ones that somebody vouches for.
//!
//! A [`Check`] is prepared before anything is written (keys read, signature present); it runs
//! beside the decoder on the bytes *as published*, still compressed; and only its end, after the
//! last byte, gives a [`Verified`]. That value is what [`crate::seal`] asks for.

mod detached;
mod gpg;
mod keyring;
mod keys;
mod listed;
mod running;

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use embed::chunks::ManifestError;
use embed::digest::Sha256Digest;

use crate::source::{DigestAuthority, ImageStream, MirrorFailure, OtherDigest, Signature};

pub use detached::verify_detached;
pub use keyring::{ADMIN_DIR, KeyOrigin, Keyring, SYSTEM_DIR};
pub use keys::{Key, list_keys};
pub(crate) use listed::{CheckedChunk, Content, Fault, Tally, Vouched};
pub(crate) use running::{Feed, Running};

/// What to do about an absent signature. A signature that is there is always checked, and must
/// be good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// Refuse an image without one.
    #[default]
    Require,
    /// Take an image without one on trust (`--insecure`).
    TolerateAbsent,
}

/// Why the bytes are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// A key of the keyring signed them.
    Signature {
        /// Fingerprint of the signing key, upper-case hex.
        key: String,
        /// The key's first user ID.
        user: Option<String>,
        /// When it says that it signed.
        time: Option<SystemTime>,
    },
    /// They have the digest that the live medium's builder wrote down, or the user.
    Digest(Sha256Digest),
    /// Nobody vouches for them; the user chose to go on without a signature.
    InsecureChoice,
}

/// Proof that a source was read to its end and that all its bytes passed their check.
///
/// There is no other way to get one than the end of a [`crate::pipeline::Pipeline`]: of a stream,
/// when its check ran over all of it; of a packed image, when all of its listed parts were taken.
#[derive(Debug)]
pub struct Verified {
    trust: Trust,
    bytes: u64,
}

impl Verified {
    /// Why the bytes are believed.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// How many bytes were checked: the size of the source as published.
    pub fn source_bytes(&self) -> u64 {
        self.bytes
    }
}

/// Why an image was not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No signature, and one is required.
    #[error("{name} has no signature at {looked_at}{}", status.map(|s| format!(" (HTTP status {s})")).unwrap_or_default())]
    NoSignature {
        /// The image.
        name: String,
        /// Where it was expected.
        looked_at: String,
        /// The server's answer, if a server was asked.
        status: Option<u16>,
    },
    /// The signature does not match the bytes: one of the two was changed, or they do not belong
    /// together.
    #[error("the signature by key {key} does not match the {bytes} bytes read from {name}")]
    BadSignature {
        /// The image.
        name: String,
        /// Key ID or fingerprint that the signature names.
        key: String,
        /// Bytes read.
        bytes: u64,
    },
    /// Signed by a key that is not in the keyring.
    #[error("{name} is signed by key {key}, which is not among the {known} trusted keys")]
    UnknownKey {
        /// The image.
        name: String,
        /// Key ID that the signature names.
        key: String,
        /// How many keys the keyring holds.
        known: usize,
    },
    /// A matching signature by a key past its end.
    #[error("{name} is signed by key {key}, which has expired")]
    ExpiredKey {
        /// The image.
        name: String,
        /// Fingerprint.
        key: String,
    },
    /// A matching signature that has itself expired.
    #[error("the signature of {name} by key {key} has expired")]
    ExpiredSignature {
        /// The image.
        name: String,
        /// Fingerprint.
        key: String,
    },
    /// A matching signature by a key that its owner withdrew.
    #[error("{name} is signed by key {key}, which was revoked")]
    RevokedKey {
        /// The image.
        name: String,
        /// Fingerprint.
        key: String,
    },
    /// What lies at the signature's place is no OpenPGP signature.
    #[error("the signature of {name} is not an OpenPGP signature")]
    NotASignature {
        /// The image.
        name: String,
    },
    /// The bytes do not have the digest that they must have.
    #[error("{name} has sha256 {got}; it must be {want}")]
    Digest {
        /// The image.
        name: String,
        /// What it must be.
        want: Sha256Digest,
        /// What it is.
        got: Sha256Digest,
    },
    /// The user wants another file than the one that is published.
    #[error(transparent)]
    OtherDigest(#[from] Box<OtherDigest>),
    /// What is signed as a chunk manifest is none.
    #[error("{name} is not good")]
    Manifest {
        /// Path or URL of the manifest.
        name: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// No place has the chunk that the manifest lists.
    #[error(
        "chunk {number}, from byte {offset} of the image, must have a frame with sha256 {want}; {}",
        list(failures)
    )]
    Chunk {
        /// Which one of the chunks with data, from 0.
        number: usize,
        /// Where it begins in the raw image, bytes.
        offset: u64,
        /// Digest of its frame.
        want: Sha256Digest,
        /// What each place gave.
        failures: Vec<MirrorFailure>,
    },
    /// The frame that the manifest lists does not hold what it lists.
    #[error(
        "chunk {number} of {name}, from byte {offset} of the image, is not what the manifest lists: {reason}"
    )]
    ChunkContent {
        /// Path or URL of the image.
        name: String,
        /// Which one of the chunks with data, from 0.
        number: usize,
        /// Where it begins in the raw image, bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The chunks are good, and the packed file is another one than the manifest lists.
    #[error(
        "{} has sha256 {} and its chunk manifest lists {}: every chunk is good, and what lies between or after them is not",
        .0.name, .0.got, .0.want
    )]
    PackedDigest(Box<Unlisted>),
    /// The packed file does not end where it should.
    #[error("{name} goes on after the {size} bytes that its chunk manifest lists")]
    PackedSurplus {
        /// Path or URL of the image.
        name: String,
        /// Its listed size, bytes.
        size: u64,
    },
    /// The manifest lists another digest for the raw image than its own chunks make.
    #[error("{} lists sha256 {} for the raw image, and its chunks make one with {}", .0.name, .0.want, .0.got)]
    RawDigest(Box<Unlisted>),
    /// A key file or directory that cannot be read.
    #[error("cannot read the key file {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key file without an OpenPGP public key.
    #[error("{origin} holds no OpenPGP public key")]
    NoKey {
        /// The file.
        origin: KeyOrigin,
    },
    /// The check's temporary directory could not be made.
    #[error("cannot make a temporary directory for the signature check")]
    Home(#[source] io::Error),
    /// gpg is missing or does not work.
    #[error("gpg does not work")]
    Engine(#[source] gpgme::Error),
    /// The source was not read to its end, so there is nothing to say about it.
    #[error("{name} was not read to its end")]
    Incomplete {
        /// The image.
        name: String,
    },
}

/// A digest that is not the one that a chunk manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Path or URL of what has it: the packed file, or the manifest for the raw image.
    pub name: String,
    /// What is listed.
    pub want: Sha256Digest,
    /// What it is.
    pub got: Sha256Digest,
}

fn list(failures: &[MirrorFailure]) -> String {
    let lines: Vec<String> = failures
        .iter()
        .map(|failure| format!("{}: {}", failure.url, failure.reason))
        .collect();
    lines.join("; ")
}

/// A check that is ready to run over an image's bytes.
#[derive(Debug)]
pub struct Check {
    name: String,
    basis: Basis,
    /// A digest that must hold beside the basis.
    digest: Option<Sha256Digest>,
}

#[derive(Debug)]
enum Basis {
    Signature { gpg: gpg::Gpg, signature: Vec<u8> },
    Digest,
    InsecureChoice,
}

/// What an image's bytes will be checked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// A signature.
    pub signature: bool,
    /// A digest.
    pub digest: Option<Sha256Digest>,
}

impl Check {
    /// What this check will look at.
    pub(crate) fn means(&self) -> Means {
        Means {
            signature: matches!(self.basis, Basis::Signature { .. }),
            digest: self.digest,
        }
    }

    /// Whether it depends on the image's bytes at all.
    pub(crate) fn looks_at_bytes(&self) -> bool {
        self.digest.is_some() || matches!(self.basis, Basis::Signature { .. })
    }

    /// Decides how `stream` will be verified and prepares it: reads the keys, and refuses a
    /// signature by none of them, and an absent one if `policy` does.
    pub fn prepare(
        stream: &ImageStream,
        policy: SignaturePolicy,
        keyring: &Keyring,
    ) -> Result<Self, VerifyError> {
        let name = stream.name.clone();
        let digest = stream.digest.map(|d| d.sha256);
        let basis = match (&stream.signature, stream.digest.map(|d| d.authority)) {
            (Signature::Detached(signature), _) => {
                let gpg = gpg::Gpg::new(keyring)?;
                gpg.check_signer(signature)
                    .map_err(|refusal| refusal.name(&name, 0))?;
                Basis::Signature {
                    gpg,
                    signature: signature.clone(),
                }
            }
            (
                Signature::Absent { .. },
                Some(
                    DigestAuthority::LiveMedium
                    | DigestAuthority::ChunkManifest
                    | DigestAuthority::User,
                ),
            ) => Basis::Digest,
            (Signature::Absent { looked_at, status }, _) => match policy {
                SignaturePolicy::TolerateAbsent => Basis::InsecureChoice,
                SignaturePolicy::Require => {
                    let looked_at = looked_at.clone();
                    return Err(VerifyError::NoSignature {
                        name,
                        looked_at,
                        status: *status,
                    });
                }
            },
        };
        Ok(Self {
            name,
            basis,
            digest,
        })
    }
}
