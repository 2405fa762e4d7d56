//! Reading a whole image into a file, verified: what the media builder starts from.

use std::fs::File;

use embed::digest::Sha256Digest;

use crate::cancel::Cancel;
use crate::disk::SectorSize;
use crate::observe::Observer;
use crate::pipeline::ImageError;
use crate::source::ImageStream;
use crate::verify::{Keyring, SignaturePolicy, Verified};

/// What a raw image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Size of the raw image, bytes.
    pub size: u64,
    /// Digest of the raw image.
    pub sha256: Sha256Digest,
    /// Sector size that its partition table is made for; `None` without a GPT.
    pub sector_size: Option<SectorSize>,
}

/// Decodes all of `stream` into `out` from its start, zero runs as holes, and verifies it.
///
/// `out` should be empty; it ends up with exactly the image's size. After an error its content is
/// not to be used.
pub fn unpack_verified(
    stream: ImageStream,
    policy: SignaturePolicy,
    keyring: &Keyring,
    out: &File,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Verified, ImageFacts), ImageError> {
    todo!()
}
