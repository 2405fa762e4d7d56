//! Reading a whole image, verified: to a file, which is what the media builder starts from, or only
//! to check it. [`open`] decides which way; nothing here knows of target disks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use crate::cancel::Cancel;
use crate::disk::zero::{Run, runs};
use crate::disk::{HEAD, SectorSize};
use crate::observe::Observer;
use crate::pipeline::{Chunk, Extent, ImageError, Pipeline};
use crate::source::Location;
use crate::verify::{Unlisted, Verified, VerifyError};
use embed::gpt;

mod open;

pub(crate) use open::{OpenImage, vouched_list};
pub use open::{SignaturePlace, Terms};

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Path or URL of the image as published.
    pub name: String,
    /// Size of the raw image.
    pub size: u64,
    /// Digest of the raw image.
    pub sha256: Sha256Digest,
    /// Sector size that its partition table is made for; `None` without a GPT.
    pub sector_size: Option<SectorSize>,
    /// The chunk manifest that it was checked by.
    pub list: Option<ListFacts>,
}

/// What was checked by a chunk manifest: the manifest, every chunk, that nothing but zeroes is
/// between them, and the digest of the raw image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFacts {
    /// Path or URL of the manifest.
    pub manifest: String,
    /// How many chunks hold data.
    pub chunks: usize,
    /// Size of every chunk but the last, bytes.
    pub chunk_size: u32,
    /// How much of the raw image is listed as zeroes, bytes.
    pub zeroes: u64,
}

/// Decodes all of the image at `source` into `out` from its start, zero runs as holes, and verifies
/// it.
///
/// `out` must be an empty file; it ends up with exactly the image's size. After an error its
/// content is not to be used.
pub fn unpack_verified(
    source: &Location,
    terms: &Terms<'_>,
    out: &File,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Verified, ImageFacts), ImageError> {
    let pipeline = OpenImage::open(source, terms, observer, cancel)?.start(Extent::File, cancel);
    let mut facts = Facts::of(&pipeline);
    let (verified, size) = unpack(pipeline, out, observer, |chunk| facts.add(chunk))?;
    Ok((verified, facts.finish(size)?))
}

/// Decodes and verifies all of the image at `source`, and writes nothing.
///
/// Of a packed image the file is checked as well, to the last byte: whoever reads it without the
/// manifest gets the same image.
pub fn read_verified(
    source: &Location,
    terms: &Terms<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Verified, ImageFacts), ImageError> {
    let pipeline = OpenImage::open(source, terms, observer, cancel)?.start(Extent::File, cancel);
    let mut facts = Facts::of(&pipeline);
    let (verified, size) = take(pipeline, observer, |chunk| {
        facts.add(chunk);
        Ok(())
    })?;
    Ok((verified, facts.finish(size)?))
}

/// What is seen of a raw image as it passes.
struct Facts {
    name: String,
    hasher: Sha256,
    sector_size: Option<SectorSize>,
    /// What a chunk manifest says, and the digest that it lists for the raw image.
    list: Option<(ListFacts, Sha256Digest)>,
}

impl Facts {
    fn of(pipeline: &Pipeline) -> Self {
        let list = pipeline.list().map(|(name, manifest)| {
            let data: u64 = manifest.chunks().iter().map(|c| u64::from(c.length)).sum();
            let facts = ListFacts {
                manifest: name.to_owned(),
                chunks: manifest.chunks().len(),
                chunk_size: manifest.chunk_size(),
                zeroes: manifest.image().size.saturating_sub(data),
            };
            (facts, manifest.image().sha256)
        });
        Self {
            name: pipeline.name().to_owned(),
            hasher: Sha256::new(),
            sector_size: None,
            list,
        }
    }

    fn add(&mut self, chunk: &Chunk) {
        if chunk.offset < HEAD {
            self.sector_size = gpt::sector_size_of_image(chunk);
        }
        self.hasher.update(&**chunk);
    }

    fn finish(self, size: u64) -> Result<ImageFacts, ImageError> {
        let sha256 = Sha256Digest::finish(self.hasher);
        let list = match self.list {
            Some((list, want)) if want != sha256 => {
                let unlisted = Box::new(Unlisted {
                    name: list.manifest,
                    want,
                    got: sha256,
                });
                return Err(ImageError::Verify(VerifyError::RawDigest(unlisted)));
            }
            list => list.map(|(list, _)| list),
        };
        Ok(ImageFacts {
            name: self.name,
            size,
            sha256,
            sector_size: self.sector_size,
            list,
        })
    }
}

/// Writes everything that comes out of `pipeline` into an empty file, `look`ing at each chunk;
/// the size as well.
pub(crate) fn unpack(
    pipeline: Pipeline,
    out: &File,
    observer: &dyn Observer,
    mut look: impl FnMut(&Chunk),
) -> Result<(Verified, u64), ImageError> {
    let (verified, size) = take(pipeline, observer, |chunk| {
        look(chunk);
        write_sparse(out, chunk)
    })?;
    out.set_len(size).map_err(ImageError::Write)?;
    Ok((verified, size))
}

/// Takes everything that comes out of `pipeline`; the size as well.
fn take(
    mut pipeline: Pipeline,
    observer: &dyn Observer,
    mut each: impl FnMut(&Chunk) -> io::Result<()>,
) -> Result<(Verified, u64), ImageError> {
    let mut size = 0;
    while let Some(chunk) = pipeline.next(observer)? {
        each(&chunk).map_err(ImageError::Write)?;
        size = chunk.offset.saturating_add(chunk.len() as u64);
        observer.event(pipeline.progress());
    }
    Ok((pipeline.finish()?, size))
}

fn write_sparse(out: &File, chunk: &Chunk) -> io::Result<()> {
    if chunk.is_zeroes() {
        return Ok(());
    }
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
