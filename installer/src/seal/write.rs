//! Writing to a disk: data as data, runs of zeroes as zeroes, everything in whole sectors.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use crate::disk::Disk;
use crate::disk::zero::{Run, runs};
use crate::pipeline::Chunk;

use super::SealError;

/// The longest run of zeroes that is written at a time, bytes: on a disk without help from the
/// kernel it takes as long as data, and somebody may want to stop it.
const MAX_ZEROES: u64 = 64 * 1024 * 1024;

/// How many runs of zeroes may wait for what follows them: as many places of the image as are
/// decoded beside each other.
const MAX_RUNS: usize = 32;

/// Writes data as data and joins runs of zeroes over the borders of chunks.
pub(super) struct Writer<'d> {
    disk: &'d dyn Disk,
    /// Zeroes that are still to be written, the longest waiting first.
    zeroes: VecDeque<Range<u64>>,
}

impl<'d> Writer<'d> {
    pub(super) fn new(disk: &'d dyn Disk) -> Self {
        let zeroes = VecDeque::new();
        Self { disk, zeroes }
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
                    self.zero(start..end)?;
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
        for range in std::mem::take(&mut self.zeroes) {
            self.write_zeroes(range)?;
        }
        flush(self.disk)
    }

    /// Joins a run to the one that it follows, or lets it wait.
    fn zero(&mut self, mut run: Range<u64>) -> Result<(), SealError> {
        if let Some(before) = self.zeroes.iter().position(|wait| wait.end == run.start)
            && let Some(before) = self.zeroes.remove(before)
        {
            run.start = before.start;
        }
        if run.end - run.start >= MAX_ZEROES {
            return self.write_zeroes(run);
        }
        self.zeroes.push_back(run);
        match self.zeroes.len() > MAX_RUNS {
            true => self
                .zeroes
                .pop_front()
                .map_or(Ok(()), |oldest| self.write_zeroes(oldest)),
            false => Ok(()),
        }
    }

    fn write_zeroes(&self, range: Range<u64>) -> Result<(), SealError> {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::disk::SectorSize;

    /// Records what is zeroed.
    #[derive(Default)]
    struct Zeroed(Mutex<Vec<Range<u64>>>);

    impl Disk for Zeroed {
        fn len(&self) -> u64 {
            u64::MAX
        }
        fn sector_size(&self) -> SectorSize {
            SectorSize::B512
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
            self.0.lock().unwrap().push(offset..offset + len);
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn zeroed(runs: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
        let disk = Zeroed::default();
        let mut writer = Writer::new(&disk);
        for run in runs {
            writer.zero(run).unwrap();
        }
        writer.finish().unwrap();
        disk.0.into_inner().unwrap()
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn runs_that_follow_each_other_are_one_even_when_others_come_between() {
        let runs = (0..10).flat_map(|n| [n, 100 + n]);
        let zeroed = zeroed(runs.map(|n| n * MIB..(n + 1) * MIB));
        assert_eq!(zeroed, [0..10 * MIB, 100 * MIB..110 * MIB]);
    }

    #[test]
    fn a_long_run_is_written_in_parts_and_many_are_written_as_they_come() {
        let parts = zeroed((0..100).map(|n| n * MIB..(n + 1) * MIB));
        assert_eq!(parts, [0..MAX_ZEROES, MAX_ZEROES..100 * MIB]);
        let apart: Vec<_> = (0..100).map(|n| 2 * n * MIB..(2 * n + 1) * MIB).collect();
        assert_eq!(zeroed(apart.clone()), apart);
    }
}
