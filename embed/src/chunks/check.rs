//! Whether the parts of a manifest fit together: one grid, no gap, no overlap, and frames that
//! are no longer than they can need to be.

use super::{Chunk, MAX_CHUNK, MIN_CHUNK, ManifestError, Part, Parts};
use crate::gpt::SectorSize;

/// Chunks and runs of zeroes by their place.
pub(super) fn in_order(parts: &Parts) -> impl Iterator<Item = Part<'_>> {
    let mut chunks = parts.chunks.iter().peekable();
    let mut zeroes = parts.zeroes.iter().peekable();
    std::iter::from_fn(move || match (chunks.peek(), zeroes.peek()) {
        (Some(chunk), Some(run)) if run.offset < chunk.offset => zeroes.next().map(zero_part),
        (Some(_), _) => chunks.next().map(Part::Chunk),
        (None, _) => zeroes.next().map(zero_part),
    })
}

fn zero_part<'m>(zeroes: &super::Zeroes) -> Part<'m> {
    Part::Zeroes(*zeroes)
}

pub(super) fn parts(parts: &Parts) -> Result<(), ManifestError> {
    if !parts.chunk_size.is_power_of_two() || !(MIN_CHUNK..=MAX_CHUNK).contains(&parts.chunk_size) {
        return Err(ManifestError::ChunkSize(parts.chunk_size));
    }
    match parts.image.sector_size {
        Some(size) if SectorSize::from_bytes(size).is_none() => {
            return Err(ManifestError::SectorSize(size));
        }
        _ => {}
    }
    cover(parts)?;
    frames(parts)
}

/// Every byte of the image is in exactly one part, and parts meet on the grid.
fn cover(parts: &Parts) -> Result<(), ManifestError> {
    let grid = u64::from(parts.chunk_size);
    let size = parts.image.size;
    let mut expected = 0u64;
    for part in in_order(parts) {
        let offset = part.offset();
        if offset != expected {
            return Err(ManifestError::Place { offset, expected });
        }
        let (length, longest) = match part {
            Part::Chunk(chunk) => (chunk.length.into(), grid),
            Part::Zeroes(zeroes) => (zeroes.length, u64::MAX),
        };
        let wrong = ManifestError::Length { offset, length };
        let Some(end) = offset.checked_add(length).filter(|end| *end <= size) else {
            return Err(wrong);
        };
        let on_grid = length.is_multiple_of(grid) || end == size;
        if length == 0 || length > longest || !on_grid {
            return Err(wrong);
        }
        expected = end;
    }
    if expected == size {
        Ok(())
    } else {
        Err(ManifestError::End {
            end: expected,
            size,
        })
    }
}

/// Frames lie in the packed file one after the other.
fn frames(parts: &Parts) -> Result<(), ManifestError> {
    let mut end = 0u64;
    for chunk in &parts.chunks {
        let fits = chunk.frame_length > 0
            && chunk.frame_length <= longest_frame(chunk)
            && chunk.frame_offset >= end
            && chunk
                .frame_offset
                .checked_add(chunk.frame_length.into())
                .is_some_and(|end| end <= parts.file.size);
        if !fits {
            return Err(ManifestError::Frame {
                offset: chunk.offset,
                frame_offset: chunk.frame_offset,
                length: chunk.frame_length,
            });
        }
        end = chunk.frame_end();
    }
    Ok(())
}

/// zstd's worst case is less than 1/256 and some headers over the data (`ZSTD_COMPRESSBOUND`).
fn longest_frame(chunk: &Chunk) -> u32 {
    (chunk.length + chunk.length / 128).saturating_add(1024)
}
