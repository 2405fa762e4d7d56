//! The image path of an image that is one stream: one thread reads the source, one checks its
//! bytes as published, one decodes, and the caller takes the raw image chunk by chunk.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use embed::progress::Progress;

use super::pool::Pool;
use super::reader::{BLOCK, BLOCKS, Blocks, Source};
use super::{Bytes, CHUNK, Chunk, Decoding, ImageError, MemoryBudget, POLL, Reading};
use crate::cancel::{Cancel, Cancelled};
use crate::decode::{DecodeError, Decoder, is_raw};
use crate::disk::aligned::AlignedBuf;
use crate::observe::{FetchNotice, Observer};
use crate::source::{ImageStream, SourceError};
use crate::verify::{Check, Running, Verified, VerifyError};

/// How many chunks there are at most: how far decoding may run ahead of writing.
const CHUNKS: usize = 8;

/// A running image path.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) name: String,
    pub(super) total: Option<u64>,
    count: Arc<AtomicU64>,
    notices: Option<Receiver<FetchNotice>>,
    chunks: Receiver<Chunk>,
    source: Option<JoinHandle<Result<(), SourceError>>>,
    decoder: Option<JoinHandle<Result<(), DecodeError>>>,
    check: Option<Running>,
    cancel: Cancel,
    /// Stops the threads, whatever the caller's flag says.
    stop: Cancel,
    ended: bool,
}

impl Streamed {
    /// Starts reading.
    pub(super) fn start(
        mut stream: ImageStream,
        check: Check,
        reading: Reading,
        cancel: &Cancel,
    ) -> Self {
        let (name, total) = (stream.name.clone(), stream.length);
        let (stop, notices) = match stream.remote.take() {
            Some(remote) => (remote.stop, Some(remote.notices)),
            None => (Cancel::new(), None),
        };
        let count = Arc::new(AtomicU64::new(0));
        let buffers = Buffers::of(reading.memory);
        let (feed, check) = check.start(stop.clone());
        let (sender, blocks) = Blocks::queue();
        let source = Source {
            stream,
            feed,
            blocks: Some(sender),
            count: Arc::clone(&count),
            stop: stop.clone(),
            pool: buffers.blocks,
        };
        let (sender, chunks) = channel();
        let decode = move || decode(blocks, reading.decoding, buffers, &sender);
        Self {
            name,
            total,
            count,
            notices,
            chunks,
            source: Some(std::thread::spawn(move || source.run(|_| {}))),
            decoder: Some(std::thread::spawn(decode)),
            check: Some(check),
            cancel: cancel.clone(),
            stop,
            ended: false,
        }
    }

    /// How far the source was read.
    pub(super) fn progress(&self) -> Progress {
        Progress::Copying {
            bytes: self.count.load(Ordering::Relaxed),
            total: self.total,
        }
    }

    /// The next part of the raw image, in order; `None` at its end. What the source meets in the
    /// meantime is told to `observer`.
    pub(super) fn next(&mut self, observer: &dyn Observer) -> Result<Option<Chunk>, ImageError> {
        loop {
            self.cancel.check()?;
            for notice in self.notices.iter().flat_map(Receiver::try_iter) {
                observer.fetch(&notice);
            }
            match self.chunks.recv_timeout(POLL) {
                Ok(chunk) => return Ok(Some(chunk)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end().map(|()| None),
            }
        }
    }

    /// The decoder has ended: well, or with an error of its own or of the source.
    fn end(&mut self) -> Result<(), ImageError> {
        let decoded = join(self.decoder.take());
        match decoded {
            Some(Err(DecodeError::Input { source, at })) => {
                let other = SourceError::of_reader(&self.name, at, source);
                let error = match join(self.source.take()) {
                    Some(Err(SourceError::Cancelled(cancelled))) => return Err(cancelled.into()),
                    Some(Err(error)) => error,
                    _ => other,
                };
                return Err(ImageError::Source(error));
            }
            Some(Err(source)) => {
                return Err(ImageError::Decode {
                    name: self.name.clone(),
                    source,
                });
            }
            Some(Ok(())) => {}
            // Asked again after the end, or the thread is gone without a word.
            None if self.ended => {}
            None => return Err(self.incomplete()),
        }
        self.ended = true;
        match join(self.source.take()) {
            Some(Err(SourceError::Cancelled(cancelled))) => Err(cancelled.into()),
            Some(Err(error)) => Err(ImageError::Source(error)),
            _ => Ok(()),
        }
    }

    fn incomplete(&self) -> ImageError {
        ImageError::Verify(VerifyError::Incomplete {
            name: self.name.clone(),
        })
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

/// The value of a thread that is still to be joined; a panicked thread has none.
fn join<T>(thread: Option<JoinHandle<T>>) -> Option<T> {
    thread.and_then(|thread| thread.join().ok())
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.stop.cancel();
        // The check owns a temporary directory. The others may hang in a read; they own nothing
        // and end with it.
        if let Some(check) = self.check.take() {
            let _ = check.verdict();
        }
    }
}

/// How the memory of an image path is shared out.
#[derive(Clone, Copy)]
struct Buffers {
    /// How many blocks of the source there are.
    blocks: usize,
    /// How many chunks there are.
    chunks: usize,
    /// What is left for the decoder, bytes.
    decoder: u64,
}

impl Buffers {
    fn of(memory: MemoryBudget) -> Self {
        let blocks = memory.eighth(BLOCK, 2, BLOCKS);
        let chunks = memory.eighth(CHUNK, 2, CHUNKS);
        let decoder = memory.without((blocks * BLOCK + chunks * CHUNK) as u64);
        Self {
            blocks,
            chunks,
            decoder,
        }
    }
}

/// The decoder thread's work: chunks until the end, or until nobody takes them any more.
fn decode(
    mut blocks: Blocks,
    decoding: Decoding,
    buffers: Buffers,
    chunks: &Sender<Chunk>,
) -> Result<(), DecodeError> {
    let start = fill(&mut blocks, 0)?;
    if decoding == Decoding::AsIs || is_raw(start) {
        return pass(blocks, chunks);
    }
    let mut decoder = Decoder::detect(blocks, buffers.decoder)?;
    let pool = Pool::new(buffers.chunks, || AlignedBuf::zeroed(CHUNK));
    let mut offset = 0u64;
    loop {
        let Some(mut buf) = pool.take() else {
            return Ok(());
        };
        let mut len = 0;
        while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match decoder.read(rest)? {
                0 => break,
                n => len += n,
            }
        }
        let bytes = Bytes::Decoded(buf, len);
        if len == 0 || chunks.send(Chunk { offset, bytes }).is_err() {
            return Ok(());
        }
        offset = offset.saturating_add(len as u64);
    }
}

/// Hands the source's blocks on as they are.
fn pass(mut blocks: Blocks, chunks: &Sender<Chunk>) -> Result<(), DecodeError> {
    let mut offset = 0u64;
    loop {
        fill(&mut blocks, offset)?;
        let Ok(Some(block)) = blocks.next() else {
            return Ok(());
        };
        let len = block.bytes().len() as u64;
        let bytes = Bytes::Source(block);
        if chunks.send(Chunk { offset, bytes }).is_err() {
            return Ok(());
        }
        offset = offset.saturating_add(len);
    }
}

fn fill(blocks: &mut Blocks, at: u64) -> Result<&[u8], DecodeError> {
    let filled = blocks.fill_buf();
    filled.map_err(|source| DecodeError::Input { at, source })
}
