//! Making the description of a minimal ISO: which of its files the full ISO has, and the rest of
//! its bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use liblzma::write::XzEncoder;

use super::codec::check;
use super::{MinimalError, MinimalIso, Piece, copy};
use crate::contract::iso as names;
use crate::digest::Sha256Digest;
use crate::iso::reader::SECTOR;
use crate::iso::{Extent, IsoReader, Region};

const COMPRESSION: u32 = 9;

/// A description, and what it saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The description.
    pub description: MinimalIso,
    /// Files of the minimal image that are taken from the full one.
    pub files: usize,
    /// Their bytes.
    pub shared: u64,
    /// Bytes that are kept beside them, compressed.
    pub kept: u64,
}

impl MinimalIso {
    /// Describes `minimal` by what `full` has of it. Taking it out again was tried.
    pub fn pack<F, M>(
        full: &mut IsoReader<F>,
        minimal: &mut IsoReader<M>,
        made_by: &str,
    ) -> Result<Packed, MinimalError>
    where
        F: Read + Seek,
        M: Read + Seek,
    {
        let pieces = pieces(full, minimal)?;
        check(&pieces)?;
        let image = minimal.raw();
        image.rewind().map_err(MinimalError::Io)?;
        let (digest, size) = Sha256Digest::of_reader(&mut *image).map_err(MinimalError::Io)?;
        let packed = compress(image, &pieces)?;
        let shared = pieces.iter().map(|piece| u64::from(piece.length)).sum();
        let description = Self {
            made_by: made_by.to_owned(),
            pieces,
            digest,
            packed,
        };
        description.unpack(full.raw(), io::sink())?;
        Ok(Packed {
            files: description.pieces.len(),
            shared,
            kept: size.saturating_sub(shared),
            description,
        })
    }

    /// The edit that stores the description in the place that the full image has for it.
    pub fn store<F: Read + Seek>(&self, full: &mut IsoReader<F>) -> Result<Region, MinimalError> {
        let Extent { offset, length } =
            full.existing(names::MINISO).map_err(MinimalError::Image)?;
        let mut content = self.to_bytes()?;
        let (size, room) = (content.len() as u64, length);
        if size > room {
            return Err(MinimalError::TooLarge { size, room });
        }
        content.resize(usize::try_from(room).unwrap_or(usize::MAX), 0);
        Ok(Region { offset, content })
    }
}

/// What the images have in common, sorted. A file whose content differs is not.
fn pieces<F: Read + Seek, M: Read + Seek>(
    full: &mut IsoReader<F>,
    minimal: &mut IsoReader<M>,
) -> Result<Vec<Piece>, MinimalError> {
    let of_full = full.tree().map_err(MinimalError::Image)?;
    let of_full: BTreeMap<String, Extent> = of_full
        .into_iter()
        .filter(|entry| !entry.is_directory)
        .map(|entry| (entry.path, entry.extent))
        .collect();
    let own = minimal
        .find(names::MINISO)
        .map_err(MinimalError::Image)?
        .map(|extent| extent.offset);
    let mut pieces = Vec::new();
    for entry in minimal.tree().map_err(MinimalError::Image)? {
        let (path, here) = (entry.path, entry.extent);
        if entry.is_directory || here.length == 0 {
            continue;
        }
        if own == Some(here.offset) {
            return Err(MinimalError::HoldsItself { path });
        }
        let Some(&there) = of_full.get(&path) else {
            return Err(MinimalError::Missing { path });
        };
        let Ok(length) = u32::try_from(here.length) else {
            return Err(MinimalError::Length { path });
        };
        if there.length != here.length {
            return Err(MinimalError::Length { path });
        }
        if !same(full, there, minimal, here)? {
            continue;
        }
        pieces.push(Piece {
            minimal: sector(here)?,
            full: sector(there)?,
            length,
        });
    }
    // Hard links are files of one place.
    pieces.sort_unstable();
    pieces.dedup_by_key(|piece| (piece.minimal, piece.length));
    Ok(pieces)
}

fn sector(extent: Extent) -> Result<u32, MinimalError> {
    u32::try_from(extent.offset / SECTOR).map_err(|_| MinimalError::Format("an image is too large"))
}

fn same<F: Read + Seek, M: Read + Seek>(
    full: &mut IsoReader<F>,
    there: Extent,
    minimal: &mut IsoReader<M>,
    here: Extent,
) -> Result<bool, MinimalError> {
    let there = digest(full, there)?;
    Ok(there == digest(minimal, here)?)
}

fn digest<F: Read + Seek>(
    iso: &mut IsoReader<F>,
    extent: Extent,
) -> Result<Sha256Digest, MinimalError> {
    let content = iso.open_extent(extent).map_err(MinimalError::Image)?;
    let (digest, length) = Sha256Digest::of_reader(content).map_err(MinimalError::Io)?;
    match length == extent.length {
        true => Ok(digest),
        false => Err(MinimalError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// The bytes of `image` outside of the pieces.
fn compress(image: &mut (impl Read + Seek), pieces: &[Piece]) -> Result<Vec<u8>, MinimalError> {
    let mut encoder = XzEncoder::new(Vec::new(), COMPRESSION);
    let mut at = 0;
    for piece in pieces {
        image.seek(SeekFrom::Start(at)).map_err(MinimalError::Io)?;
        copy(image, &mut encoder, piece.start().saturating_sub(at))?;
        at = piece.end();
    }
    image.seek(SeekFrom::Start(at)).map_err(MinimalError::Io)?;
    io::copy(image, &mut encoder).map_err(MinimalError::Io)?;
    encoder.finish().map_err(MinimalError::Io)
}
