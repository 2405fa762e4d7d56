//! The frames as they are written: the packed file's digest, its seek table and its manifest.

use std::io::{self, Write};
use std::path::Path;

use embed::chunks::{Chunk, Frame, Manifest, PackedFile, Parts, RawImage, Zeroes, seek_table};
use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use super::PackError;
use super::compress::Done;

/// What was written so far.
pub(super) struct List {
    chunk_size: u32,
    chunks: Vec<Chunk>,
    zeroes: Vec<Zeroes>,
    frames: Vec<Frame>,
    raw_size: u64,
    size: u64,
    hasher: Sha256,
}

impl List {
    pub(super) fn new(chunk_size: u32) -> Self {
        Self {
            chunk_size,
            chunks: Vec::new(),
            zeroes: Vec::new(),
            frames: Vec::new(),
            raw_size: 0,
            size: 0,
            hasher: Sha256::new(),
        }
    }

    /// How much of the raw image is in the file.
    pub(super) fn raw_size(&self) -> u64 {
        self.raw_size
    }

    /// Writes the next frame.
    pub(super) fn add(
        &mut self,
        done: &Done,
        out: &mut impl Write,
        name: &Path,
    ) -> Result<(), PackError> {
        let frame = Frame {
            packed: length(done.frame.len(), name)?,
            raw: length(done.raw_len, name)?,
        };
        let (offset, frame_offset) = (self.raw_size, self.size);
        self.write(&done.frame, out, name)?;
        self.frames.push(frame);
        self.raw_size = offset.saturating_add(frame.raw.into());
        match (done.digests, self.zeroes.last_mut()) {
            (Some((sha256, frame_sha256)), _) => self.chunks.push(Chunk {
                offset,
                length: frame.raw,
                sha256,
                frame_offset,
                frame_length: frame.packed,
                frame_sha256,
            }),
            (None, Some(run)) if run.end() == offset => run.length += u64::from(frame.raw),
            (None, _) => self.zeroes.push(Zeroes {
                offset,
                length: frame.raw.into(),
            }),
        }
        Ok(())
    }

    /// Writes the seek table; what the file now is.
    pub(super) fn finish(
        mut self,
        image: RawImage,
        out: &mut impl Write,
        name: &Path,
    ) -> Result<Manifest, PackError> {
        let table = seek_table(&self.frames).map_err(PackError::SeekTable)?;
        self.write(&table, out, name)?;
        Manifest::new(Parts {
            chunk_size: self.chunk_size,
            image,
            file: PackedFile {
                size: self.size,
                sha256: Sha256Digest::finish(self.hasher),
            },
            chunks: self.chunks,
            zeroes: self.zeroes,
        })
        .map_err(PackError::Manifest)
    }

    fn write(&mut self, bytes: &[u8], out: &mut impl Write, name: &Path) -> Result<(), PackError> {
        out.write_all(bytes).map_err(|source| PackError::Write {
            path: name.to_owned(),
            source,
        })?;
        self.hasher.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

/// Chunks and their frames are far below 4 GiB.
fn length(len: usize, name: &Path) -> Result<u32, PackError> {
    u32::try_from(len).map_err(|_| PackError::Write {
        path: name.to_owned(),
        source: io::ErrorKind::FileTooLarge.into(),
    })
}
