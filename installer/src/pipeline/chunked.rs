//! The image path of a packed image: one thread reads frames, one thread a processor checks and
//! decodes them, and the caller takes the raw image in order.
//!
//! If all of the file is to be checked, the reading thread hashes it, and its verdict is waited for.
//!
//! A buffer is taken from its pool in the order of the chunks, before its frame is read; so memory
//! is bounded, and the oldest chunk never waits for a younger one.

mod fetch;
mod worker;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};

use embed::chunks::{Manifest, Part};
use embed::progress::Progress;
use sha2::{Digest as _, Sha256};

use super::pool::Pooled;
use super::{Bytes, CHUNK, Chunk, Extent, ImageError, MemoryBudget, POLL};
use crate::cancel::Cancel;
use crate::disk::aligned::AlignedBuf;
use crate::observe::{FetchNotice, Observer};
use crate::source::listed::{Listed, Place};
use crate::verify::{CheckedChunk, Content, Tally, Verified, VerifyError, Vouched};

use fetch::Fetch;
use worker::Worker;

/// The most threads that check and decode.
const MAX_WORKERS: usize = 8;

/// The fewest chunks in memory: one that is decoded and one that the caller takes.
const LEAST_WINDOW: usize = 2;

/// How many threads check and decode, and how many chunks are in memory at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crew {
    workers: usize,
    /// One more than there are workers at least: the one that the caller takes.
    window: usize,
}

impl Crew {
    /// As many workers as there are processors, if their chunks fit into `memory` bytes; and two
    /// chunks beyond those, one that is read and one that is written. Never less than one worker
    /// and two chunks, whatever that takes.
    fn within(memory: usize, chunk_size: usize, processors: usize) -> Self {
        let fit = memory / twice(chunk_size);
        let fit = fit.max(LEAST_WINDOW);
        let window = processors.clamp(1, MAX_WORKERS).saturating_add(2).min(fit);
        let workers = processors
            .clamp(1, MAX_WORKERS)
            .min(window.saturating_sub(1));
        Self { workers, window }
    }
}

/// The least memory in which chunks of this size are decoded, bytes.
pub(super) fn least_memory(chunk_size: u32) -> u64 {
    (twice(chunk_size as usize) as u64).saturating_mul(LEAST_WINDOW as u64)
}

/// A chunk is there twice: as its frame, which may be a little longer, and decoded.
fn twice(chunk_size: usize) -> usize {
    chunk_size
        .saturating_mul(2)
        .saturating_add(chunk_size / 128 + 1024)
}

/// What a thread has done.
#[derive(Debug)]
enum Ready {
    /// A chunk of the raw image.
    Chunk(CheckedChunk),
    /// The whole file, which is the listed one.
    File,
}

type Outcome = Result<Ready, ImageError>;

/// With the place in the image that they are about, its end for the file: the first failure is the one that is told,
/// and what is written before it does not depend on which thread was faster.
type Outcomes = Receiver<(u64, Outcome)>;

/// A frame on its way to a worker.
struct Job {
    number: usize,
    frame: Pooled<Vec<u8>>,
    raw: Pooled<AlignedBuf>,
    place: Place,
}

/// A running image path.
#[derive(Debug)]
pub(super) struct Chunked {
    pub(super) name: String,
    vouched: Vouched,
    tally: Tally,
    /// Whether the verdict on the file is still to come.
    file_to_come: bool,
    fetched: Arc<AtomicU64>,
    notices: Option<Receiver<FetchNotice>>,
    outcomes: Outcomes,
    /// What was ready before their turn.
    early: BTreeMap<u64, Outcome>,
    /// The chunk that is being taken, and how far.
    current: Option<(Arc<CheckedChunk>, usize)>,
    /// Zeroes that are being taken.
    zeroes: Range<u64>,
    cancel: Cancel,
    _stop: Stop,
}

impl Chunked {
    /// Starts reading.
    pub(super) fn start(
        listed: Listed,
        vouched: Vouched,
        extent: Extent,
        memory: MemoryBudget,
        cancel: &Cancel,
    ) -> Self {
        let Listed {
            image,
            frames,
            stop,
            notices,
            ..
        } = listed;
        let manifest = Arc::clone(vouched.manifest());
        let fetched = Arc::new(AtomicU64::new(0));
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory = usize::try_from(memory.bytes()).unwrap_or(usize::MAX);
        let crew = Crew::within(memory, manifest.chunk_size() as usize, processors);
        let (jobs, queue) = channel();
        let (sender, outcomes) = channel();
        let worker = Worker {
            image: image.clone(),
            manifest: Arc::clone(&manifest),
            content: match extent {
                Extent::Frames => Content::Checksum,
                Extent::File => Content::Digest,
            },
            again: match extent {
                Extent::Frames => frames.again(),
                Extent::File => None,
            },
            queue: Arc::new(Mutex::new(queue)),
            outcomes: sender.clone(),
        };
        for _ in 0..crew.workers {
            let worker = worker.clone();
            std::thread::spawn(move || worker.run());
        }
        let fetch = Fetch {
            image: image.clone(),
            manifest: Arc::clone(&manifest),
            frames,
            buffers: crew.window,
            fetched: Arc::clone(&fetched),
            hasher: (extent == Extent::File).then(Sha256::new),
            stop: stop.clone(),
            outcomes: sender,
        };
        std::thread::spawn(move || fetch.run(&jobs));
        Self {
            name: image,
            tally: Tally::new(&manifest),
            file_to_come: extent == Extent::File,
            vouched,
            fetched,
            notices,
            outcomes,
            early: BTreeMap::new(),
            current: None,
            zeroes: 0..0,
            cancel: cancel.clone(),
            _stop: Stop(stop),
        }
    }

    /// The manifest, and its path or URL.
    pub(super) fn list(&self) -> (&str, &Manifest) {
        (self.vouched.name(), self.vouched.manifest())
    }

    /// Size of the packed file, bytes.
    pub(super) fn total(&self) -> u64 {
        self.vouched.manifest().file().size
    }

    /// How far the packed file was read.
    pub(super) fn progress(&self) -> Progress {
        Progress::Copying {
            bytes: self.fetched.load(Ordering::Relaxed),
            total: Some(self.total()),
        }
    }

    /// The next part of the raw image, in order; `None` at its end.
    pub(super) fn next(&mut self, observer: &dyn Observer) -> Result<Option<Chunk>, ImageError> {
        self.cancel.check()?;
        loop {
            if let Some(piece) = self.piece() {
                return Ok(Some(piece));
            }
            let offset = match self.tally.next() {
                None if self.file_to_come => self.vouched.manifest().image().size,
                None => return Ok(None),
                Some(Part::Zeroes(zeroes)) => {
                    self.zeroes = zeroes.offset..self.tally.zeroes();
                    continue;
                }
                Some(Part::Chunk(chunk)) => chunk.offset,
            };
            match self.wait(offset, observer)? {
                Ready::Chunk(chunk) => {
                    self.tally.chunk(&chunk);
                    self.current = Some((Arc::new(chunk), 0));
                }
                Ready::File => self.file_to_come = false,
            }
        }
    }

    /// What is left of the part that is being taken.
    fn piece(&mut self) -> Option<Chunk> {
        if !self.zeroes.is_empty() {
            let offset = self.zeroes.start;
            let left = usize::try_from(self.zeroes.end - offset).unwrap_or(CHUNK);
            let len = left.min(CHUNK);
            self.zeroes.start = offset.saturating_add(len as u64);
            let bytes = Bytes::Zeroes(len);
            return Some(Chunk { offset, bytes });
        }
        let (chunk, used) = self.current.take()?;
        let end = chunk.bytes().len().min(used.saturating_add(CHUNK));
        if end < chunk.bytes().len() {
            self.current = Some((Arc::clone(&chunk), end));
        }
        Some(Chunk {
            offset: chunk.offset().saturating_add(used as u64),
            bytes: Bytes::Checked(chunk, used..end),
        })
    }

    /// The chunk at `offset`, or at the image's end the file, when it is there.
    fn wait(&mut self, offset: u64, observer: &dyn Observer) -> Outcome {
        loop {
            for notice in self.notices.iter().flat_map(Receiver::try_iter) {
                observer.fetch(&notice);
            }
            self.cancel.check()?;
            if let Some(outcome) = self.early.remove(&offset) {
                return outcome;
            }
            match self.outcomes.recv_timeout(POLL) {
                Ok((offset, outcome)) => drop(self.early.insert(offset, outcome)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let name = self.name.clone();
                    return Err(ImageError::Verify(VerifyError::Incomplete { name }));
                }
            }
        }
    }

    /// The verdict over all of the image, which must have been taken.
    pub(super) fn finish(self) -> Result<Verified, ImageError> {
        self.cancel.check()?;
        if self.file_to_come || self.current.is_some() || !self.zeroes.is_empty() {
            let name = self.name.clone();
            return Err(ImageError::Verify(VerifyError::Incomplete { name }));
        }
        self.vouched.finish(&self.tally).map_err(ImageError::Verify)
    }
}

/// Makes the threads end that are still waiting for a server.
#[derive(Debug)]
struct Stop(Cancel);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_and_window_follow_processors_as_far_as_memory_goes() {
        const MIB: usize = 1024 * 1024;
        // memory, chunk size, processors: workers, window
        for (memory, chunk, processors, workers, window) in [
            (256, 4, 2, 2, 4),
            (256, 4, 1, 1, 3),
            (256, 4, 64, 8, 10),
            (256, 32, 8, 2, 3),
            (64, 4, 8, 6, 7),
            (64, 32, 8, 1, 2),
            (1, 32, 8, 1, 2),
            (0, 1, 0, 1, 2),
        ] {
            let crew = Crew::within(memory * MIB, chunk * MIB, processors);
            let what = format!("{memory} MiB, chunks of {chunk} MiB, {processors} processors");
            assert_eq!(crew, Crew { workers, window }, "{what}");
            assert!(window <= 2 || window * 2 * chunk <= memory, "{what}");
        }
    }
}
