//! Writing to a disk: data as data, runs of zeroes as zeroes, everything in whole sectors.

use std::io;
use std::ops::Range;

use crate::disk::Disk;
use crate::disk::zero::{Run, runs};
use crate::pipeline::Chunk;

use super::SealError;

/// The longest run of zeroes that is written at a time, bytes: on a disk without help from the
/// kernel it takes as long as data, and somebody may want to stop it.
const MAX_ZEROES: u64 = 64 * 1024 * 1024;

/// Writes data as data and joins runs of zeroes over the borders of chunks.
pub(super) struct Writer<'d> {
    disk: &'d dyn Disk,
    /// Zeroes that are still to be written.
    zero: Range<u64>,
}

impl<'d> Writer<'d> {
    pub(super) fn new(disk: &'d dyn Disk) -> Self {
        Self { disk, zero: 0..0 }
    }

    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<(), SealError> {
        let sector = u64::from(self.disk.sector_size().bytes());
        let runs = if chunk.is_zeroes() {
            vec![Run::Zero(0..chunk.len())]
        } else {
            runs(chunk)
        };
        for run in runs {
            match run {
                Run::Zero(range) => {
                    let start = chunk.offset + range.start as u64;
                    // A last, partial sector is filled up with zeroes.
                    let end = (chunk.offset + range.end as u64).next_multiple_of(sector);
                    if self.zero.end != start {
                        self.write_zeroes()?;
                        self.zero = start..start;
                    }
                    self.zero.end = end;
                    if end - self.zero.start >= MAX_ZEROES {
                        self.write_zeroes()?;
                    }
                }
                Run::Data(range) => {
                    let start = chunk.offset + range.start as u64;
                    let data = chunk.get(range).unwrap_or_default();
                    write_padded(self.disk, start, data)?;
                }
            }
        }
        Ok(())
    }

    /// Writes and flushes what is still to be written.
    pub(super) fn finish(mut self) -> Result<(), SealError> {
        self.write_zeroes()?;
        flush(self.disk)
    }

    fn write_zeroes(&mut self) -> Result<(), SealError> {
        let range = std::mem::take(&mut self.zero);
        if range.is_empty() {
            return Ok(());
        }
        self.disk
            .zero_range(range.start, range.end - range.start)
            .map_err(disk_error("zero", range.start))
    }
}

/// Copies `part` to `at`. Both are ours: a head always has room for a table.
pub(super) fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    if let Some(to) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..part.len()))
    {
        to.copy_from_slice(part);
    }
}

pub(super) fn write(disk: &dyn Disk, offset: u64, data: &[u8]) -> Result<(), SealError> {
    disk.write_at(offset, data)
        .map_err(disk_error("write", offset))
}

/// Writes data whose end may be no sector border, filled up with zeroes.
fn write_padded(disk: &dyn Disk, offset: u64, data: &[u8]) -> Result<(), SealError> {
    let sector = disk.sector_size().bytes() as usize;
    let whole = data.len() - data.len() % sector;
    let (body, rest) = data.split_at_checked(whole).unwrap_or((data, &[]));
    if !body.is_empty() {
        write(disk, offset, body)?;
    }
    if !rest.is_empty() {
        let mut last = rest.to_vec();
        last.resize(sector, 0);
        write(disk, offset + whole as u64, &last)?;
    }
    Ok(())
}

pub(super) fn flush(disk: &dyn Disk) -> Result<(), SealError> {
    disk.flush().map_err(disk_error("flush", 0))
}

fn disk_error(what: &'static str, offset: u64) -> impl Fn(io::Error) -> SealError {
    move |source| SealError::Disk {
        what,
        offset,
        source,
    }
}
