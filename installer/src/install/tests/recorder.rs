//! A disk in memory that keeps a record of every write and flush, and fails when told to.

use std::io;
use std::sync::Mutex;

use super::DISK;
use crate::disk::{Disk, SectorSize};

#[derive(Clone, Debug)]
pub(super) enum Op {
    Write(usize, Vec<u8>),
    Flush,
}

/// A disk in memory that keeps a record.
pub(super) struct Recorder {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Op>>,
    fail_from: usize,
}

impl Recorder {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
            log: Mutex::default(),
            fail_from: usize::MAX,
        }
    }

    /// The same disk, which fails every write from number `write` on.
    pub(super) fn failing_from(self, write: usize) -> Self {
        Self {
            fail_from: write,
            ..self
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.log.lock().unwrap().clone()
    }
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
        let at = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.bytes.lock().unwrap()[at..at + buf.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert!(
            offset.is_multiple_of(512) && data.len().is_multiple_of(512),
            "not whole sectors"
        );
        let op = Op::Write(usize::try_from(offset).unwrap(), data.to_vec());
        let mut log = self.log.lock().unwrap();
        if log.len() >= self.fail_from {
            return Err(io::Error::other("the disk is broken"));
        }
        apply(&mut self.bytes.lock().unwrap(), &op);
        log.push(op);
        Ok(())
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.write_at(offset, &vec![0; usize::try_from(len).unwrap()])
    }

    fn flush(&self) -> io::Result<()> {
        self.log.lock().unwrap().push(Op::Flush);
        Ok(())
    }
}
