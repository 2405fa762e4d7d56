//! The minimal ISO inside a full one: all of it but the rootfs, kept as a description of a few KiB
//! in `coreos/miniso.dat` instead of a second copy.
//!
//! Its files are those of the full image in other places; what is not in files is kept compressed.
//! A digest of the whole makes sure that what comes out is what was put in.

mod codec;
mod pack;

use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use super::reader::SECTOR;
use super::{Extent, IsoError, IsoReader};
use crate::contract::iso as names;
use crate::digest::Sha256Digest;

pub use pack::Packed;

/// Why a minimal ISO cannot be taken out or put in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MinimalError {
    /// Bytes that are no description of a minimal ISO.
    #[error("not the description of a minimal ISO: {0}")]
    Format(&'static str),
    /// A description of another version of the format.
    #[error("description of a minimal ISO has version {found}, made by {made_by}; 1 is known")]
    Version {
        /// Version of the format.
        found: u32,
        /// Version of the program that wrote it.
        made_by: String,
    },
    /// One of the images.
    #[error("cannot read the images")]
    Image(#[source] IsoError),
    /// Reading or writing failed.
    #[error("cannot copy the minimal ISO")]
    Io(#[source] io::Error),
    /// The full image is not the one that the description was made for.
    #[error("wrong final digest: the minimal ISO should have {want}, and has {got}")]
    Digest {
        /// As described.
        want: Sha256Digest,
        /// As found.
        got: Sha256Digest,
    },
    /// A file that only the minimal image has.
    #[error("file {path} of the minimal ISO is missing in the full ISO")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file of two sizes.
    #[error("file {path} has different lengths in the full and the minimal ISO")]
    Length {
        /// The file.
        path: String,
    },
    /// The minimal image has a place for a description of itself.
    #[error("the minimal ISO has a file {path}, which belongs to the full ISO only")]
    HoldsItself {
        /// The file.
        path: String,
    },
    /// The description is larger than its place.
    #[error("description of {size} bytes is too large for its place of {room} bytes")]
    TooLarge {
        /// The description, bytes.
        size: u64,
        /// What there is, bytes.
        room: u64,
    },
}

/// A file of the minimal image that the full image has too. Places are sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    minimal: u32,
    full: u32,
    /// Bytes.
    length: u32,
}

impl Piece {
    fn start(self) -> u64 {
        u64::from(self.minimal) * SECTOR
    }

    fn end(self) -> u64 {
        self.start() + u64::from(self.length)
    }
}

/// How to make the minimal image out of the full one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinimalIso {
    /// Version of the program that wrote the description.
    made_by: String,
    /// Sorted by place in the minimal image, free of overlaps.
    pieces: Vec<Piece>,
    /// Of the minimal image.
    digest: Sha256Digest,
    /// xz of the bytes outside of the pieces.
    packed: Vec<u8>,
}

impl MinimalIso {
    /// The description that `full` carries, if it has one.
    pub fn find<F: Read + Seek>(full: &mut IsoReader<F>) -> Result<Option<Self>, MinimalError> {
        let Some(file) = full.find(names::MINISO).map_err(MinimalError::Image)? else {
            return Ok(None);
        };
        let length = file.length.min(codec::MAX_BYTES as u64);
        let bytes = full.read_extent(Extent { length, ..file });
        Self::read(&bytes.map_err(MinimalError::Image)?).map(Some)
    }

    /// Writes the minimal image of `full` to `output`. With an error, what was written is not it.
    pub fn unpack(
        &self,
        mut full: impl Read + Seek,
        output: impl Write,
    ) -> Result<(), MinimalError> {
        // The minimal image is never larger than the full one, whatever the compressed bytes say.
        const LARGER: MinimalError = MinimalError::Format("it is larger than the full ISO");
        let size = full.seek(SeekFrom::End(0)).map_err(MinimalError::Io)?;
        let pieces = self.pieces.iter();
        if pieces.clone().any(|piece| piece.end() > size) {
            return Err(LARGER);
        }
        let mut packed = liblzma::read::XzDecoder::new(self.packed.as_slice());
        let mut output = Hashing {
            output,
            hasher: Sha256::new(),
        };
        let mut at = 0;
        for piece in pieces {
            // The order of pieces was checked when they were read.
            copy(&mut packed, &mut output, piece.start().saturating_sub(at))?;
            let start = SeekFrom::Start(u64::from(piece.full) * SECTOR);
            full.seek(start).map_err(MinimalError::Io)?;
            copy(&mut full, &mut output, piece.length.into())?;
            at = piece.end();
        }
        let limit = size.saturating_sub(at) + 1;
        let rest = io::copy(&mut packed.take(limit), &mut output).map_err(MinimalError::Io)?;
        if rest == limit {
            return Err(LARGER);
        }
        output.flush().map_err(MinimalError::Io)?;
        let (want, got) = (self.digest, Sha256Digest::finish(output.hasher));
        if want != got {
            return Err(MinimalError::Digest { want, got });
        }
        Ok(())
    }
}

/// Copies exactly `length` bytes.
fn copy(
    input: &mut impl Read,
    output: &mut (impl Write + ?Sized),
    length: u64,
) -> Result<(), MinimalError> {
    match io::copy(&mut input.take(length), output).map_err(MinimalError::Io)? {
        copied if copied == length => Ok(()),
        _ => Err(MinimalError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Hashes what is written.
struct Hashing<W> {
    output: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.output.write(data)?;
        self.hasher.update(data.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests;
