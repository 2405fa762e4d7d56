//! The raw image of an osmet file as a reader: objects and packed bytes by turns.
//!
//! It gives as many bytes as the file says and no others, whatever objects and packed bytes are
//! like. That they are the right ones is for the digest to tell.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::{Mapping, Osmet, OsmetError};
use crate::digest::Sha256Digest;

/// Most that decoding the packed bytes may take; the highest preset takes 65 MiB.
const XZ_MEMORY: u64 = 256 * 1024 * 1024;

/// Where objects are.
pub trait Objects {
    /// An object's content.
    type Object: Read + Seek;

    /// Opens the object with this name.
    fn open(&self, object: Sha256Digest) -> io::Result<Self::Object>;
}

/// Mappings with their place in the image, in its order.
type Mappings = Box<dyn Iterator<Item = (u64, Mapping)> + Send>;

/// A raw image. Errors are [`OsmetError`]s.
pub struct Unpacked<P: BufRead, O: Objects> {
    packed: XzDecoder<P>,
    objects: O,
    mappings: Mappings,
    next: Option<(u64, Mapping)>,
    /// What is read now, and how much of it is left.
    piece: Piece<O::Object>,
    left: u64,
    /// Place in the image.
    at: u64,
    size: u64,
}

enum Piece<F> {
    Packed,
    Object { name: Sha256Digest, content: F },
}

impl<P: BufRead, O: Objects> std::fmt::Debug for Unpacked<P, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked")
            .field("at", &self.at)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Osmet {
    /// The image, out of `objects` and the `packed` bytes that follow in the file.
    pub fn unpack<P: BufRead, O: Objects>(
        self,
        packed: P,
        objects: O,
    ) -> Result<Unpacked<P, O>, OsmetError> {
        let stream =
            Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|e| OsmetError::Packed(e.into()))?;
        let mut mappings: Mappings = Box::new(self.partitions.into_iter().flat_map(|partition| {
            let start = partition.start;
            let placed = move |mapping: Mapping| (start.saturating_add(mapping.physical), mapping);
            partition.mappings.into_iter().map(placed)
        }));
        let next = mappings.next();
        Ok(Unpacked {
            packed: XzDecoder::new_stream(packed, stream),
            objects,
            left: next.map_or(self.size, |(start, _)| start),
            next,
            mappings,
            piece: Piece::Packed,
            at: 0,
            size: self.size,
        })
    }
}

impl<P: BufRead, O: Objects> Unpacked<P, O> {
    /// Goes on with what comes after a piece that was read to its end: the next mapping, if it begins
    /// here, else packed bytes up to it.
    fn go_on(&mut self) -> Result<(), OsmetError> {
        match self.next {
            Some((start, mapping)) if start == self.at => {
                self.piece = Piece::Object {
                    name: mapping.object,
                    content: self.open(&mapping)?,
                };
                self.left = mapping.length;
                self.next = self.mappings.next();
            }
            Some((start, _)) => self.pack_until(start),
            None => self.pack_until(self.size),
        }
        Ok(())
    }

    fn pack_until(&mut self, end: u64) {
        self.piece = Piece::Packed;
        self.left = end.saturating_sub(self.at);
    }

    fn open(&self, mapping: &Mapping) -> Result<O::Object, OsmetError> {
        let opened = self.objects.open(mapping.object).and_then(|mut content| {
            content.seek(SeekFrom::Start(mapping.logical))?;
            Ok(content)
        });
        opened.map_err(|source| OsmetError::Object {
            object: mapping.object,
            source,
        })
    }

    /// Reads at least a byte of the present piece.
    fn read_piece(&mut self, buf: &mut [u8]) -> Result<usize, OsmetError> {
        match &mut self.piece {
            Piece::Packed => match self.packed.read(buf).map_err(OsmetError::Packed)? {
                0 => Err(OsmetError::Packed(io::ErrorKind::UnexpectedEof.into())),
                read => Ok(read),
            },
            Piece::Object { name, content } => {
                let read = content.read(buf).map_err(|source| OsmetError::Object {
                    object: *name,
                    source,
                })?;
                if read == 0 {
                    buf.fill(0);
                    return Ok(buf.len());
                }
                Ok(read)
            }
        }
    }

    /// At the end of the image the packed bytes must be at theirs.
    fn end(&mut self) -> Result<usize, OsmetError> {
        match self.packed.read(&mut [0]).map_err(OsmetError::Packed)? {
            0 => Ok(0),
            _ => Err(OsmetError::Layout("there is more than the image")),
        }
    }
}

impl<P: BufRead, O: Objects> Read for Unpacked<P, O> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.left == 0 && self.at < self.size {
            self.go_on().map_err(io::Error::other)?;
        }
        if self.at >= self.size {
            return self.end().map_err(io::Error::other);
        }
        let room = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let part = buf.get_mut(..room).unwrap_or_default();
        let read = self.read_piece(part).map_err(io::Error::other)?;
        self.left = self.left.saturating_sub(read as u64);
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}
