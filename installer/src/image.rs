//! Reading a whole image into a file, verified: what the media builder starts from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use crate::cancel::Cancel;
use crate::disk::zero::{Run, runs};
use crate::disk::{HEAD, SectorSize};
use crate::observe::Observer;
use crate::pipeline::{Chunk, Decoding, ImageError, Pipeline};
use crate::source::ImageStream;
use crate::verify::{Check, Keyring, SignaturePolicy, Verified};
use embed::gpt;

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
/// `out` must be an empty file; it ends up with exactly the image's size. After an error its
/// content is not to be used.
pub fn unpack_verified(
    stream: ImageStream,
    policy: SignaturePolicy,
    keyring: &Keyring,
    out: &File,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Verified, ImageFacts), ImageError> {
    let check = Check::prepare(&stream, policy, keyring).map_err(ImageError::Verify)?;
    let pipeline = Pipeline::start(stream, check, Decoding::Detect, cancel);
    let mut facts = Facts::default();
    let (verified, size) = unpack(pipeline, out, observer, |chunk| facts.add(chunk))?;
    Ok((verified, facts.finish(size)))
}

/// Decodes and verifies all of `stream`, and writes nothing.
pub fn read_verified(
    stream: ImageStream,
    policy: SignaturePolicy,
    keyring: &Keyring,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Verified, ImageFacts), ImageError> {
    let check = Check::prepare(&stream, policy, keyring).map_err(ImageError::Verify)?;
    let mut pipeline = Pipeline::start(stream, check, Decoding::Detect, cancel);
    let mut facts = Facts::default();
    let mut size = 0;
    while let Some(chunk) = pipeline.next(observer)? {
        facts.add(&chunk);
        size = chunk.offset.saturating_add(chunk.len() as u64);
        observer.event(pipeline.progress());
    }
    Ok((pipeline.finish()?, facts.finish(size)))
}

/// What is seen of a raw image as it passes.
#[derive(Default)]
struct Facts {
    hasher: Sha256,
    sector_size: Option<SectorSize>,
}

impl Facts {
    fn add(&mut self, chunk: &Chunk) {
        if chunk.offset < HEAD {
            self.sector_size = gpt::sector_size_of_image(chunk);
        }
        self.hasher.update(&**chunk);
    }

    fn finish(self, size: u64) -> ImageFacts {
        ImageFacts {
            size,
            sha256: Sha256Digest::finish(self.hasher),
            sector_size: self.sector_size,
        }
    }
}

/// Writes everything that comes out of `pipeline` into an empty file, `look`ing at each chunk;
/// the size as well.
pub(crate) fn unpack(
    mut pipeline: Pipeline,
    out: &File,
    observer: &dyn Observer,
    mut look: impl FnMut(&Chunk),
) -> Result<(Verified, u64), ImageError> {
    let mut size = 0;
    while let Some(chunk) = pipeline.next(observer)? {
        look(&chunk);
        write_sparse(out, &chunk).map_err(ImageError::Write)?;
        size = chunk.offset.saturating_add(chunk.len() as u64);
        observer.event(pipeline.progress());
    }
    out.set_len(size).map_err(ImageError::Write)?;
    Ok((pipeline.finish()?, size))
}

fn write_sparse(out: &File, chunk: &Chunk) -> io::Result<()> {
    for run in runs(chunk) {
        if let Run::Data(range) = run {
            let offset = chunk.offset.saturating_add(range.start as u64);
            out.write_all_at(chunk.get(range).unwrap_or_default(), offset)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
