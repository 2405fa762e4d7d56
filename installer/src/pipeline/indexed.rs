//! The image path of a local xz file of several blocks: each processor decodes a block at a time
//! and gives its pieces with their places, while one thread reads all of the file for the check.
//!
//! What was decoded is what was checked: both sides hash what they read, block by block, and there
//! is no `Verified` unless the digests are the same.

mod parts;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use embed::digest::Sha256Digest;
use embed::progress::Progress;
use embed::xz::Block;

use parts::{Digests, Parts};

use super::pool::Pool;
use super::reader::{BLOCK, BLOCKS, Source};
use super::{Bytes, CHUNK, Chunk, ImageError, MemoryBudget, POLL};
use crate::cancel::{Cancel, Cancelled};
use crate::decode::{BlockFile, DecodeError};
use crate::disk::aligned::AlignedBuf;
use crate::source::{ImageStream, SourceError};
use crate::verify::{Check, Running, Verified, VerifyError};

/// Chunks of one worker: one that is filled, one that waits, one that is written.
const CHUNKS: usize = 3;

/// How long between two looks whether all of the file was read.
const PAUSE: Duration = Duration::from_millis(10);

/// A file whose blocks are decoded beside each other, and by how many threads.
pub(super) struct Plan {
    file: BlockFile,
    workers: usize,
    blocks: usize,
}

impl Plan {
    /// `None` if the image is better read as one stream, or cannot be read otherwise.
    pub(super) fn of(
        stream: &ImageStream,
        memory: MemoryBudget,
        processors: usize,
    ) -> Result<Option<Self>, DecodeError> {
        let (Some(local), Some(len)) = (&stream.local, stream.length) else {
            return Ok(None);
        };
        let Some(file) = BlockFile::find(local, len, CHUNK as u64)? else {
            return Ok(None);
        };
        let blocks = memory.eighth(BLOCK, 2, BLOCKS);
        let each = file.memory.saturating_add((CHUNKS * CHUNK) as u64);
        let affordable = memory.without((blocks * BLOCK) as u64) / each.max(1);
        let workers = usize::try_from(affordable)
            .unwrap_or(processors)
            .min(processors)
            .min(file.blocks().len());
        Ok((workers > 1).then_some(Self {
            file,
            workers,
            blocks,
        }))
    }
}

enum Message {
    Piece(Chunk),
    Done(usize, Option<Sha256Digest>),
    Failed(usize, DecodeError),
}

/// A running image path.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) name: String,
    pub(super) total: Option<u64>,
    count: Arc<AtomicU64>,
    messages: Receiver<Message>,
    source: Option<JoinHandle<Result<Digests, SourceError>>>,
    check: Option<Running>,
    cancel: Cancel,
    /// Stops the threads, whatever the caller's flag says.
    stop: Cancel,
    /// Pieces that came before the image's first one, which everybody wants to see first.
    early: VecDeque<Chunk>,
    started: bool,
    /// The failure in the earliest block: which one is told does not depend on who was faster.
    failure: Option<(usize, DecodeError)>,
    /// Digests of what was decoded, as far as it is done.
    digests: Digests,
    left: usize,
    ended: bool,
}

impl Indexed {
    /// Starts reading, or is ready to tell why it cannot.
    pub(super) fn start(
        stream: ImageStream,
        check: Check,
        plan: Result<Plan, DecodeError>,
        cancel: &Cancel,
    ) -> Self {
        let (sender, messages) = channel();
        let mut path = Self {
            name: stream.name.clone(),
            total: stream.length,
            count: Arc::new(AtomicU64::new(0)),
            messages,
            source: None,
            check: None,
            cancel: cancel.clone(),
            stop: Cancel::new(),
            early: VecDeque::new(),
            started: false,
            failure: None,
            digests: Vec::new(),
            left: 0,
            ended: false,
        };
        match plan {
            Ok(plan) => path.run(stream, check, &plan, &sender),
            Err(error) => path.failure = Some((0, error)),
        }
        path
    }

    fn run(&mut self, stream: ImageStream, check: Check, plan: &Plan, sender: &Sender<Message>) {
        let hash = check.looks_at_bytes();
        let file = &plan.file;
        self.left = file.blocks().len();
        self.digests = vec![None; file.blocks().len() + 2];
        if hash {
            let [before, after] = file.frame();
            let last = self.digests.len() - 1;
            self.put(0, Some(Sha256Digest::of(before)));
            self.put(last, Some(Sha256Digest::of(after)));
        }
        let (feed, running) = check.start(self.stop.clone());
        self.check = Some(running);
        let mut parts = Parts::of(file.blocks(), hash);
        let source = Source {
            stream,
            feed,
            blocks: None,
            count: Arc::new(AtomicU64::new(0)),
            stop: self.stop.clone(),
            pool: plan.blocks,
        };
        self.source = Some(std::thread::spawn(move || {
            source.run(|bytes| parts.add(bytes))?;
            Ok(parts.finish())
        }));
        let worker = Worker {
            file: file.clone(),
            hash,
            next: Arc::new(AtomicUsize::new(0)),
            failed: Arc::new(AtomicUsize::new(usize::MAX)),
            count: Arc::clone(&self.count),
            messages: sender.clone(),
            stop: self.stop.clone(),
        };
        for _ in 0..plan.workers {
            let worker = worker.clone();
            std::thread::spawn(move || worker.run());
        }
    }

    fn put(&mut self, part: usize, digest: Option<Sha256Digest>) {
        if let Some(place) = self.digests.get_mut(part) {
            *place = digest;
        }
    }

    /// How far the file was decoded.
    pub(super) fn progress(&self) -> Progress {
        Progress::Copying {
            bytes: self.count.load(Ordering::Relaxed),
            total: self.total,
        }
    }

    /// The next part of the raw image: its first one first, then in any order; `None` at its end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, ImageError> {
        loop {
            self.cancel.check()?;
            if self.started
                && let Some(chunk) = self.early.pop_front()
            {
                return Ok(Some(chunk));
            }
            match self.messages.recv_timeout(POLL) {
                Ok(Message::Piece(chunk)) if self.started || chunk.offset == 0 => {
                    self.started = true;
                    return Ok(Some(chunk));
                }
                Ok(Message::Piece(chunk)) if self.failure.is_none() => self.early.push_back(chunk),
                // The first one will never come.
                Ok(Message::Piece(_)) => {}
                Ok(Message::Done(number, digest)) => {
                    self.left = self.left.saturating_sub(1);
                    self.put(number + 1, digest);
                }
                Ok(Message::Failed(number, error)) => self.fail(number, error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end().map(|()| None),
            }
        }
    }

    fn fail(&mut self, number: usize, error: DecodeError) {
        if !self.started {
            // Workers may be waiting for the room that these take.
            self.early.clear();
        }
        if self
            .failure
            .as_ref()
            .is_none_or(|(first, _)| number < *first)
        {
            self.failure = Some((number, error));
        }
    }

    /// All workers have ended: well, or with an error.
    fn end(&mut self) -> Result<(), ImageError> {
        let name = self.name.clone();
        match self.failure.take() {
            Some((_, DecodeError::Input { source, at })) => {
                return Err(ImageError::Source(SourceError::of_reader(
                    &name, at, source,
                )));
            }
            Some((_, source)) => return Err(ImageError::Decode { name, source }),
            None if self.ended => return Ok(()),
            None if self.left > 0 => return Err(self.incomplete()),
            None => {}
        }
        // The check may be far behind.
        while self
            .source
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            self.cancel.check()?;
            std::thread::sleep(PAUSE);
        }
        match self.source.take().and_then(|thread| thread.join().ok()) {
            Some(Ok(read)) if read == self.digests => self.ended = true,
            Some(Ok(_)) => return Err(ImageError::Source(SourceError::ChangedFile { name })),
            Some(Err(SourceError::Cancelled(cancelled))) => return Err(cancelled.into()),
            Some(Err(error)) => return Err(ImageError::Source(error)),
            None => return Err(self.incomplete()),
        }
        Ok(())
    }

    fn incomplete(&self) -> ImageError {
        let name = self.name.clone();
        ImageError::Verify(VerifyError::Incomplete { name })
    }

    /// Waits for the check's verdict over the whole source. All chunks must have been taken.
    pub(super) fn finish(mut self) -> Result<Verified, ImageError> {
        self.cancel.check()?;
        match self.check.take() {
            Some(check) if self.ended => check.verdict().map_err(|error| match error {
                // The check may have seen the flag before we did.
                VerifyError::Incomplete { .. } if self.cancel.is_cancelled() => {
                    ImageError::Cancelled(Cancelled)
                }
                error => ImageError::Verify(error),
            }),
            check => {
                self.check = check;
                Err(self.incomplete())
            }
        }
    }
}

impl Drop for Indexed {
    fn drop(&mut self) {
        self.stop.cancel();
        // The check owns a temporary directory.
        if let Some(check) = self.check.take() {
            let _ = check.verdict();
        }
    }
}

/// A thread that decodes blocks.
#[derive(Clone)]
struct Worker {
    file: BlockFile,
    hash: bool,
    /// The next block that nobody decodes.
    next: Arc<AtomicUsize>,
    /// The earliest block that failed: later ones are of no use.
    failed: Arc<AtomicUsize>,
    count: Arc<AtomicU64>,
    messages: Sender<Message>,
    stop: Cancel,
}

impl Worker {
    fn run(self) {
        // Of its own: the worker of the first block must never wait for the others.
        let pool = Pool::new(CHUNKS, || AlignedBuf::zeroed(CHUNK));
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = self.file.blocks().get(number) else {
                return;
            };
            let message = match self.decode(number, block, &pool) {
                Ok(Some(digest)) => Message::Done(number, digest),
                Ok(None) => return,
                Err(error) => {
                    self.failed.fetch_min(number, Ordering::Relaxed);
                    Message::Failed(number, error)
                }
            };
            if self.messages.send(message).is_err() {
                return;
            }
        }
    }

    /// Decodes a block to its end; `None` if nobody wants it any more.
    fn decode(
        &self,
        number: usize,
        block: &Block,
        pool: &Pool<AlignedBuf>,
    ) -> Result<Option<Option<Sha256Digest>>, DecodeError> {
        let mut decoder = self.file.decode(block, self.hash, &self.count)?;
        let mut offset = block.raw_offset;
        loop {
            let Some(mut buf) = pool.take() else {
                return Ok(None);
            };
            if self.stop.is_cancelled() || self.failed.load(Ordering::Relaxed) < number {
                return Ok(None);
            }
            let mut len = 0;
            while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
                match decoder.read(rest)? {
                    0 => break,
                    n => len += n,
                }
            }
            if len == 0 {
                return Ok(Some(decoder.digest()));
            }
            let bytes = Bytes::Decoded(buf, len);
            let piece = Message::Piece(Chunk { offset, bytes });
            if self.messages.send(piece).is_err() {
                return Ok(None);
            }
            offset = offset.saturating_add(len as u64);
        }
    }
}

#[cfg(test)]
mod tests;
