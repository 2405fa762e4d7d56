//! The image path of a packed image: one thread reads frames, one thread a processor checks and
//! decodes them, and the caller takes the raw image in order.
//!
//! A buffer is taken from its pool in the order of the chunks, before its frame is read; so memory
//! is bounded, and the oldest chunk never waits for a younger one.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use embed::chunks::{Chunk as Entry, Manifest, Part};
use embed::progress::Progress;
use zstd::bulk::Decompressor;

use super::pool::{Pool, Pooled};
use super::{Bytes, CHUNK, Chunk, ImageError, POLL};
use crate::cancel::Cancel;
use crate::decode::{DecodeError, Format};
use crate::disk::aligned::AlignedBuf;
use crate::observe::{FetchNotice, Observer};
use crate::source::http::frames::Again;
use crate::source::listed::{Frames, Listed, Place};
use crate::source::{MirrorFailure, SourceError};
use crate::verify::{CheckedChunk, Fault, Tally, Verified, VerifyError, Vouched};

/// The most threads that check and decode.
const MAX_WORKERS: usize = 8;

/// Memory for frames and decoded chunks, bytes.
const MEMORY: usize = 256 * 1024 * 1024;

type Outcome = Result<CheckedChunk, ImageError>;

/// With the place in the image that they are about: the first failure is the one that is told,
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
    pub(super) fn start(listed: Listed, vouched: Vouched, cancel: &Cancel) -> Self {
        let Listed {
            image,
            frames,
            stop,
            notices,
            ..
        } = listed;
        let manifest = Arc::clone(vouched.manifest());
        let fetched = Arc::new(AtomicU64::new(0));
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let size = manifest.chunk_size() as usize;
        let buffers = (workers.min(MAX_WORKERS) + 2).min((MEMORY / (2 * size)).max(2));
        let (jobs, queue) = channel();
        let (sender, outcomes) = channel();
        let worker = Worker {
            image: image.clone(),
            manifest: Arc::clone(&manifest),
            again: frames.again(),
            queue: Arc::new(Mutex::new(queue)),
            outcomes: sender.clone(),
        };
        for _ in 0..workers.min(buffers - 1) {
            let worker = worker.clone();
            std::thread::spawn(move || worker.run());
        }
        let fetch = Fetch {
            manifest: Arc::clone(&manifest),
            frames,
            buffers,
            fetched: Arc::clone(&fetched),
            stop: stop.clone(),
        };
        std::thread::spawn(move || {
            if let Err((offset, error)) = fetch.run(&jobs) {
                let error = match error {
                    SourceError::Cancelled(cancelled) => cancelled.into(),
                    error => ImageError::Source(error),
                };
                // A caller that gave up has its own reason.
                let _ = sender.send((offset, Err(error)));
            }
        });
        Self {
            name: image,
            tally: Tally::new(&manifest),
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
                None => return Ok(None),
                Some(Part::Zeroes(zeroes)) => {
                    self.zeroes = zeroes.offset..self.tally.zeroes();
                    continue;
                }
                Some(Part::Chunk(chunk)) => chunk.offset,
            };
            let chunk = self.wait(offset, observer)?;
            self.tally.chunk(&chunk);
            self.current = Some((Arc::new(chunk), 0));
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

    /// The chunk at `offset`, when it is there.
    fn wait(&mut self, offset: u64, observer: &dyn Observer) -> Result<CheckedChunk, ImageError> {
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
        if self.current.is_some() || !self.zeroes.is_empty() {
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

/// The reading thread.
struct Fetch {
    manifest: Arc<Manifest>,
    frames: Frames,
    buffers: usize,
    fetched: Arc<AtomicU64>,
    stop: Cancel,
}

impl Fetch {
    /// A failure comes with the place in the image that it is about.
    fn run(mut self, jobs: &Sender<Job>) -> Result<(), (u64, SourceError)> {
        let size = self.manifest.chunk_size() as usize;
        let raw = Pool::new(self.buffers, || AlignedBuf::zeroed(size));
        let frames = Pool::new(self.buffers, Vec::new);
        for (number, chunk) in self.manifest.chunks().iter().enumerate() {
            let (Some(raw), Some(mut frame)) = (raw.take(), frames.take()) else {
                return Ok(());
            };
            frame.resize(chunk.frame_length as usize, 0);
            let read = self.stop.check().map_err(SourceError::from);
            let place = read
                .and_then(|()| self.frames.read(chunk, &mut frame))
                .map_err(|error| (chunk.offset, error))?;
            self.fetched.store(chunk.frame_end(), Ordering::Relaxed);
            let job = Job {
                number,
                frame,
                raw,
                place,
            };
            if jobs.send(job).is_err() {
                // The workers gave up and have their own reason.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A thread that checks and decodes.
#[derive(Clone)]
struct Worker {
    image: String,
    manifest: Arc<Manifest>,
    again: Option<Again>,
    queue: Arc<Mutex<Receiver<Job>>>,
    outcomes: Sender<(u64, Outcome)>,
}

impl Worker {
    fn run(self) {
        let mut decoder = Decompressor::new();
        loop {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(job) = queue.recv() else {
                return;
            };
            drop(queue);
            let Some(chunk) = self.manifest.chunks().get(job.number) else {
                return;
            };
            let outcome = match &mut decoder {
                Ok(decoder) => self.check(chunk, job, decoder),
                Err(error) => Err(self.no_decoder(error)),
            };
            if self.outcomes.send((chunk.offset, outcome)).is_err() {
                return;
            }
        }
    }

    fn no_decoder(&self, error: &io::Error) -> ImageError {
        ImageError::Decode {
            name: self.image.clone(),
            source: DecodeError::Corrupt {
                format: Format::Zstd,
                at: 0,
                source: io::Error::new(error.kind(), error.to_string()),
            },
        }
    }

    /// Checks a frame; one that is bad is had again from wherever it can be had.
    fn check(&self, chunk: &Entry, job: Job, decoder: &mut Decompressor<'_>) -> Outcome {
        let Job {
            number,
            mut frame,
            mut raw,
            place,
        } = job;
        let mut failures = Vec::new();
        let mut from = place.0;
        let mut rest = self.again.iter().flat_map(|a| a.places_after(place.0));
        loop {
            let reason = match CheckedChunk::check(chunk, &frame, decoder, raw) {
                Ok(checked) => return Ok(checked),
                Err((Fault::Content(reason), _)) => {
                    return Err(self.error(VerifyError::ChunkContent {
                        name: self.image.clone(),
                        number,
                        offset: chunk.offset,
                        reason,
                    }));
                }
                Err((Fault::Frame(got), buf)) => {
                    raw = buf;
                    format!("it gave a frame with sha256 {got}")
                }
            };
            self.failed(&mut failures, from, reason);
            // The next place that gives any frame at all.
            loop {
                let (Some(again), Some(next)) = (&self.again, rest.next()) else {
                    return Err(self.error(VerifyError::Chunk {
                        number,
                        offset: chunk.offset,
                        want: chunk.frame_sha256,
                        failures,
                    }));
                };
                if let Some(failure) = failures.last() {
                    again.tell(failure, next);
                }
                from = next;
                match again.read(next, chunk, &mut frame) {
                    Ok(()) => break,
                    Err(SourceError::Cancelled(cancelled)) => return Err(cancelled.into()),
                    Err(error) => self.failed(&mut failures, next, error.in_one_line()),
                }
            }
        }
    }

    fn failed(&self, failures: &mut Vec<MirrorFailure>, place: usize, reason: String) {
        let url = match &self.again {
            Some(again) => again.name(place),
            None => self.image.clone(),
        };
        failures.push(MirrorFailure { url, reason });
    }

    fn error(&self, error: VerifyError) -> ImageError {
        ImageError::Verify(error)
    }
}
