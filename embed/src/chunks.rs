//! The chunk manifest of a packed image: the list that is signed, so that every part of the image
//! can be checked by itself before it is used. Made by `coreos-installer pack image`; drawn in
//! `docs/src/packed-images.md`.
//!
//! A [`Manifest`] that exists is consistent: its parts cover the image from the first byte to the
//! last, on a grid, and its frames lie in the packed file in order. Nothing here is fetched.

mod check;
mod seek_table;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::gpt::SectorSize;

pub use seek_table::{Frame, SeekTableError, seek_table};

/// What the document calls itself.
const FORMAT: &str = "coreos-chunks";
/// Version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// How the name of a packed image ends.
pub const IMAGE_SUFFIX: &str = ".raw.zst";
/// How the name of its manifest ends, instead of [`IMAGE_SUFFIX`].
pub const MANIFEST_SUFFIX: &str = ".chunks.json";

/// Largest manifest that is read, bytes.
pub const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
/// Smallest chunk size, bytes: no chunk border is inside the part of a disk that is written last.
pub const MIN_CHUNK: u32 = 1024 * 1024;
/// Largest chunk size, bytes: several chunks are in memory at a time.
pub const MAX_CHUNK: u32 = 32 * 1024 * 1024;

/// The raw image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawImage {
    /// Size, bytes.
    pub size: u64,
    /// Digest of all of it.
    pub sha256: Sha256Digest,
    /// Sector size that its partition table is made for, bytes; `null` without a GPT.
    pub sector_size: Option<u32>,
}

/// The packed file, as published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PackedFile {
    /// Size, bytes.
    pub size: u64,
    /// Digest of all of it.
    pub sha256: Sha256Digest,
}

/// A part of the image that is in the packed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chunk {
    /// Where it begins in the raw image, bytes.
    pub offset: u64,
    /// Its size in the raw image, bytes.
    pub length: u32,
    /// Digest of its raw bytes.
    pub sha256: Sha256Digest,
    /// Where its frame begins in the packed file, bytes.
    pub frame_offset: u64,
    /// Size of its frame, bytes.
    pub frame_length: u32,
    /// Digest of its frame.
    pub frame_sha256: Sha256Digest,
}

impl Chunk {
    /// Where it ends in the raw image, bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length.into())
    }

    /// Where its frame ends in the packed file, bytes.
    pub fn frame_end(&self) -> u64 {
        self.frame_offset.saturating_add(self.frame_length.into())
    }
}

/// A part of the image that is nothing but zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Zeroes {
    /// Where it begins in the raw image, bytes.
    pub offset: u64,
    /// Its size, bytes.
    pub length: u64,
}

impl Zeroes {
    /// Where it ends in the raw image, bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The parts of a packed image, not yet looked at together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Size of every chunk but the last, bytes.
    pub chunk_size: u32,
    /// The raw image.
    pub image: RawImage,
    /// The packed file.
    pub file: PackedFile,
    /// What is data, in order.
    pub chunks: Vec<Chunk>,
    /// What is not, in order.
    pub zeroes: Vec<Zeroes>,
}

/// The document.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    chunk_size: u32,
    image: RawImage,
    file: PackedFile,
    chunks: Vec<Chunk>,
    zeroes: Vec<Zeroes>,
}

/// What is read before the rest is.
#[derive(Deserialize)]
struct Opening {
    format: String,
    version: u32,
}

/// A checked chunk manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    parts: Parts,
}

/// The next part of a raw image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'m> {
    /// Data.
    Chunk(&'m Chunk),
    /// Nothing but zeroes.
    Zeroes(Zeroes),
}

impl Part<'_> {
    /// Where it begins in the raw image, bytes.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Chunk(chunk) => chunk.offset,
            Self::Zeroes(zeroes) => zeroes.offset,
        }
    }

    /// Where it ends in the raw image, bytes.
    pub fn end(&self) -> u64 {
        match self {
            Self::Chunk(chunk) => chunk.end(),
            Self::Zeroes(zeroes) => zeroes.end(),
        }
    }
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Too much to read.
    #[error("the chunk manifest is larger than {MAX_MANIFEST} bytes")]
    TooLarge,
    /// Not JSON of this shape.
    #[error("this is no chunk manifest")]
    Syntax(#[source] serde_json::Error),
    /// Another document.
    #[error("this is no chunk manifest but `{0}`")]
    Format(String),
    /// Made by another generation of the packer.
    #[error("the chunk manifest has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A chunk size that is no power of two in the range.
    #[error("chunks of {0} bytes; the size must be a power of two, {MIN_CHUNK} to {MAX_CHUNK}")]
    ChunkSize(u32),
    /// Neither 512 nor 4096.
    #[error("sectors of {0} bytes; there are 512 and 4096")]
    SectorSize(u32),
    /// A part that is not where the one before it ends.
    #[error("the part at byte {offset} of the image should begin at byte {expected}")]
    Place {
        /// Where it is said to begin.
        offset: u64,
        /// Where it must begin.
        expected: u64,
    },
    /// A part whose end is on no chunk border and not the image's end.
    #[error("the part at byte {offset} of the image has a wrong length of {length} bytes")]
    Length {
        /// Where it begins.
        offset: u64,
        /// Its length.
        length: u64,
    },
    /// Parts that do not reach the image's end.
    #[error("the parts end at byte {end} of an image of {size} bytes")]
    End {
        /// Where they end.
        end: u64,
        /// Where they must end.
        size: u64,
    },
    /// A frame that cannot be there.
    #[error(
        "the frame of the chunk at byte {offset} cannot be the {length} bytes at byte {frame_offset} of the packed file"
    )]
    Frame {
        /// Where its chunk begins.
        offset: u64,
        /// Where it is said to begin.
        frame_offset: u64,
        /// Its length.
        length: u32,
    },
}

impl Manifest {
    /// Checks that `parts` fit together.
    pub fn new(parts: Parts) -> Result<Self, ManifestError> {
        check::parts(&parts)?;
        Ok(Self { parts })
    }

    /// Reads and checks a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() as u64 > MAX_MANIFEST {
            return Err(ManifestError::TooLarge);
        }
        let opening: Opening = serde_json::from_slice(json).map_err(ManifestError::Syntax)?;
        if opening.format != FORMAT {
            return Err(ManifestError::Format(opening.format));
        }
        if opening.version != VERSION {
            return Err(ManifestError::Version(opening.version));
        }
        let document: Document = serde_json::from_slice(json).map_err(ManifestError::Syntax)?;
        Self::new(Parts {
            chunk_size: document.chunk_size,
            image: document.image,
            file: document.file,
            chunks: document.chunks,
            zeroes: document.zeroes,
        })
    }

    /// The document, with a final newline; the same manifest gives the same bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        let Parts {
            chunk_size,
            image,
            file,
            chunks,
            zeroes,
        } = self.parts.clone();
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            chunk_size,
            image,
            file,
            chunks,
            zeroes,
        };
        let mut json = serde_json::to_vec(&document).map_err(ManifestError::Syntax)?;
        json.push(b'\n');
        if json.len() as u64 > MAX_MANIFEST {
            return Err(ManifestError::TooLarge);
        }
        Ok(json)
    }

    /// Size of every chunk but the last, bytes.
    pub fn chunk_size(&self) -> u32 {
        self.parts.chunk_size
    }

    /// The raw image.
    pub fn image(&self) -> &RawImage {
        &self.parts.image
    }

    /// Sector size that the image's partition table is made for; `None` without a GPT.
    pub fn sector_size(&self) -> Option<SectorSize> {
        self.parts
            .image
            .sector_size
            .and_then(SectorSize::from_bytes)
    }

    /// The packed file.
    pub fn file(&self) -> &PackedFile {
        &self.parts.file
    }

    /// What is data, in order.
    pub fn chunks(&self) -> &[Chunk] {
        &self.parts.chunks
    }

    /// The part that begins at `offset` of the raw image.
    pub fn part_at(&self, offset: u64) -> Option<Part<'_>> {
        let Parts { chunks, zeroes, .. } = &self.parts;
        let chunk = chunks.binary_search_by_key(&offset, |chunk| chunk.offset);
        let run = zeroes.binary_search_by_key(&offset, |zeroes| zeroes.offset);
        let chunk = chunk.ok().and_then(|at| chunks.get(at)).map(Part::Chunk);
        let run = || run.ok().and_then(|at| zeroes.get(at));
        chunk.or_else(|| run().copied().map(Part::Zeroes))
    }

    /// The whole image, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        check::in_order(&self.parts)
    }
}

#[cfg(test)]
mod tests;
