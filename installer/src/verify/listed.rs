//! The chunked way to a [`Verified`]: a manifest that somebody vouches for, chunks that are what
//! it lists, and a tally in which all of the image was counted.

use std::sync::Arc;

use embed::chunks::{Chunk, Manifest, Part};
use embed::digest::Sha256Digest;
use zstd::bulk::Decompressor;

use super::{Keyring, Means, SignaturePolicy, Trust, Verified, VerifyError, gpg};
use crate::disk::aligned::AlignedBuf;
use crate::pipeline::pool::Pooled;
use crate::source::{DigestAuthority, ExpectedDigest, OtherDigest, Signature};

/// A chunk manifest that was checked in full, before anything else was read.
#[derive(Debug)]
pub(crate) struct Vouched {
    name: String,
    manifest: Arc<Manifest>,
    trust: Trust,
}

impl Vouched {
    /// Checks the manifest's signature, and only then reads what it says.
    pub(crate) fn check(
        name: &str,
        bytes: &[u8],
        signature: &Signature,
        policy: SignaturePolicy,
        keyring: &Keyring,
    ) -> Result<Self, VerifyError> {
        let trust = match (signature, policy) {
            (Signature::Detached(signature), _) => {
                let gpg::Signer { key, user, time } = gpg::Gpg::new(keyring)?
                    .verify_bytes(signature, bytes)
                    .map_err(|refusal| refusal.name(name, bytes.len() as u64))?;
                Trust::Signature { key, user, time }
            }
            (Signature::Absent { .. }, SignaturePolicy::TolerateAbsent) => Trust::InsecureChoice,
            (Signature::Absent { looked_at, status }, SignaturePolicy::Require) => {
                return Err(VerifyError::NoSignature {
                    name: name.to_owned(),
                    looked_at: looked_at.clone(),
                    status: *status,
                });
            }
        };
        let manifest = Manifest::parse(bytes).map_err(|source| VerifyError::Manifest {
            name: name.to_owned(),
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            manifest: Arc::new(manifest),
            trust,
        })
    }

    /// Refuses the manifest of another file than the one that the user wants.
    pub(crate) fn expect(&self, wanted: Option<Sha256Digest>) -> Result<(), VerifyError> {
        let published = self.manifest.file().sha256;
        match wanted {
            Some(wanted) if wanted != published => Err(Box::new(OtherDigest {
                name: self.name.clone(),
                published,
                wanted,
            })
            .into()),
            _ => Ok(()),
        }
    }

    /// Path or URL of the manifest.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Who signed it, if anybody did.
    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The digest of the packed file, for whoever takes it as it is.
    pub(crate) fn file_digest(&self) -> ExpectedDigest {
        ExpectedDigest {
            sha256: self.manifest.file().sha256,
            authority: match self.trust {
                Trust::Signature { .. } => DigestAuthority::ChunkManifest,
                Trust::Digest(_) | Trust::InsecureChoice => DigestAuthority::UnsignedManifest,
            },
        }
    }

    pub(crate) fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// What the image will be checked by.
    pub(crate) fn means(&self) -> Means {
        Means {
            signature: matches!(self.trust, Trust::Signature { .. }),
            digest: None,
        }
    }

    /// The image, if all of it is in `tally`.
    pub(crate) fn finish(self, tally: &Tally) -> Result<Verified, VerifyError> {
        if !tally.is_whole() || !Arc::ptr_eq(&tally.manifest, &self.manifest) {
            return Err(VerifyError::Incomplete { name: self.name });
        }
        Ok(Verified {
            trust: self.trust,
            bytes: self.manifest.file().size,
        })
    }
}

/// Bytes of a raw image that are what a manifest lists at their place.
#[derive(Debug)]
pub(crate) struct CheckedChunk {
    offset: u64,
    buf: Pooled<AlignedBuf>,
    len: usize,
}

/// Why a frame does not give its chunk.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is not the frame that is listed; another source may have it.
    Frame(Sha256Digest),
    /// It is the frame that is listed, and does not hold what is listed.
    Content(String),
}

/// What the content of a frame is compared with, once the frame is known to be the listed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The checksum inside of the frame, which finds a decoder's fault; the digest where there is no
    /// checksum.
    Checksum,
    /// The listed digest as well, which finds a packer's fault.
    Digest,
}

/// Whether a zstd frame has a checksum of its content, which libzstd compares (RFC 8878, 3.1.1.1.1).
fn has_checksum(frame: &[u8]) -> bool {
    const CONTENT_CHECKSUM: u8 = 1 << 2;
    frame.get(4).is_some_and(|d| d & CONTENT_CHECKSUM != 0)
}

impl CheckedChunk {
    /// Checks a frame, decodes it into `buf`, and checks that. Nothing else makes one.
    pub(crate) fn check(
        chunk: &Chunk,
        content: Content,
        frame: &[u8],
        decoder: &mut Decompressor<'_>,
        mut buf: Pooled<AlignedBuf>,
    ) -> Result<Self, (Fault, Pooled<AlignedBuf>)> {
        let got = Sha256Digest::of(frame);
        if got != chunk.frame_sha256 {
            return Err((Fault::Frame(got), buf));
        }
        let len = chunk.length as usize;
        let room = buf.get_mut(..len).unwrap_or_default();
        let trusted = content == Content::Checksum && has_checksum(frame);
        match decoder.decompress_to_buffer(frame, room) {
            Ok(n) if n == len && (trusted || Sha256Digest::of(room) == chunk.sha256) => Ok(Self {
                offset: chunk.offset,
                buf,
                len,
            }),
            Ok(n) => Err((
                Fault::Content(format!("its {n} bytes are others than listed")),
                buf,
            )),
            Err(error) => Err((Fault::Content(error.to_string()), buf)),
        }
    }

    /// Where it begins in the raw image, bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }
}

/// How much of an image was taken, in order.
#[derive(Debug)]
pub(crate) struct Tally {
    manifest: Arc<Manifest>,
    end: u64,
}

impl Tally {
    pub(crate) fn new(manifest: &Arc<Manifest>) -> Self {
        Self {
            manifest: Arc::clone(manifest),
            end: 0,
        }
    }

    /// The part to take next; `None` at the image's end.
    pub(crate) fn next(&self) -> Option<Part<'_>> {
        self.manifest.part_at(self.end)
    }

    /// Counts a chunk, if it is the next.
    pub(crate) fn chunk(&mut self, chunk: &CheckedChunk) {
        if chunk.offset == self.end {
            self.end = self.end.saturating_add(chunk.len as u64);
        }
    }

    /// Counts a listed run of zeroes, if that is next; where it ends.
    pub(crate) fn zeroes(&mut self) -> u64 {
        if let Some(Part::Zeroes(zeroes)) = self.next() {
            self.end = zeroes.end();
        }
        self.end
    }

    fn is_whole(&self) -> bool {
        self.end == self.manifest.image().size
    }
}

#[cfg(test)]
mod tests;
