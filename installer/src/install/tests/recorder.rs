//! A disk in memory that keeps a record of every write and flush, and breaks when and as told to.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use super::DISK;
use crate::cancel::Cancel;
use crate::disk::{Disk, SectorSize};

#[derive(Clone, Debug)]
pub(super) enum Op {
    Write(usize, Vec<u8>),
    Flush,
}

/// How a disk breaks at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskFault {
    /// This step fails, and the disk works again.
    Once,
    /// Half of what is written at this step is there, and then it fails.
    Torn,
    /// This step and every later write or flush fails.
    Dead,
    /// This step takes its time.
    Slow,
}

/// A disk in memory that keeps a record.
pub(super) struct Recorder {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Op>>,
    /// Writes and flushes so far, those that failed too.
    steps: Mutex<usize>,
    reads: Mutex<usize>,
    fault: Option<(usize, DiskFault)>,
    /// The write or flush at which a signal comes, and who hears of it.
    signal: Option<(usize, Cancel)>,
    /// Number of the read that fails.
    unreadable: Option<usize>,
    /// Where the disk really ends, whatever it says.
    end: usize,
}

impl Recorder {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
            log: Mutex::default(),
            steps: Mutex::default(),
            reads: Mutex::default(),
            fault: None,
            signal: None,
            unreadable: None,
            end: DISK,
        }
    }

    /// The same disk, which breaks at the write or flush number `step`.
    pub(super) fn breaking(self, step: usize, fault: DiskFault) -> Self {
        Self {
            fault: Some((step, fault)),
            ..self
        }
    }

    /// The same disk, which is asked to stop at the write or flush number `step`.
    pub(super) fn signalled(self, step: usize, cancel: Cancel) -> Self {
        Self {
            signal: Some((step, cancel)),
            ..self
        }
    }

    /// The same disk, of which the read number `read` fails.
    pub(super) fn unreadable(self, read: usize) -> Self {
        Self {
            unreadable: Some(read),
            ..self
        }
    }

    /// The same disk, which ends at the byte `end` without saying so.
    pub(super) fn ending_at(self, end: usize) -> Self {
        Self { end, ..self }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.log.lock().unwrap().clone()
    }

    /// How many reads there were.
    pub(super) fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }

    /// Counts a write or flush; what happens at it.
    fn step(&self) -> Option<DiskFault> {
        let mut steps = self.steps.lock().unwrap();
        let now = *steps;
        *steps += 1;
        if let Some((at, cancel)) = &self.signal
            && now == *at
        {
            cancel.cancel();
        }
        let (at, fault) = self.fault?;
        (now == at || (now > at && fault == DiskFault::Dead)).then_some(fault)
    }

    fn write(&self, op: Op) -> io::Result<()> {
        let beyond = matches!(&op, Op::Write(at, data) if at + data.len() > self.end);
        let whole = match self.step() {
            Some(DiskFault::Slow) => {
                std::thread::sleep(Duration::from_millis(5));
                true
            }
            Some(DiskFault::Torn) => false,
            Some(DiskFault::Once | DiskFault::Dead) => return Err(broken()),
            None => true,
        };
        if beyond {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let op = match op {
            Op::Write(at, mut data) if !whole => {
                data.truncate(data.len() / 1024 * 512);
                Op::Write(at, data)
            }
            op => op,
        };
        apply(&mut self.bytes.lock().unwrap(), &op);
        self.log.lock().unwrap().push(op);
        if whole { Ok(()) } else { Err(broken()) }
    }
}

/// EIO.
fn broken() -> io::Error {
    io::Error::from_raw_os_error(5)
}

pub(super) fn apply(bytes: &mut [u8], op: &Op) {
    if let Op::Write(at, data) = op {
        bytes[*at..at + data.len()].copy_from_slice(data);
    }
}

impl Disk for Recorder {
    fn len(&self) -> u64 {
        DISK as u64
    }

    fn sector_size(&self) -> SectorSize {
        SectorSize::B512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut reads = self.reads.lock().unwrap();
        let now = *reads;
        *reads += 1;
        let at = usize::try_from(offset).unwrap();
        if self.unreadable == Some(now) {
            return Err(broken());
        }
        if at + buf.len() > self.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.copy_from_slice(&self.bytes.lock().unwrap()[at..at + buf.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert!(
            offset.is_multiple_of(512) && data.len().is_multiple_of(512),
            "not whole sectors"
        );
        let at = usize::try_from(offset).unwrap();
        self.write(Op::Write(at, data.to_vec()))
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.write_at(offset, &vec![0; usize::try_from(len).unwrap()])
    }

    fn flush(&self) -> io::Result<()> {
        self.write(Op::Flush)
    }
}
