//! The thread that reads the source: every block goes to the check and to the decoder, which
//! share it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::CHUNK;
use super::pool::{Pool, Pooled};
use crate::cancel::Cancel;
use crate::disk::aligned::AlignedBuf;
use crate::source::{ImageStream, SourceError};
use crate::verify::Feed;

/// Size of a block, bytes: that of a chunk, so that a raw image need not be copied.
pub(super) const BLOCK: usize = CHUNK;

/// How many blocks there are at most: how far the slower of check and decoder may lag behind.
pub(super) const BLOCKS: usize = 16;

/// Bytes of the source, as published.
#[derive(Debug)]
pub(crate) struct Block {
    buf: Pooled<AlignedBuf>,
    len: usize,
}

impl Block {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }
}

/// The reader thread's work. `Ok` only if the source was read to its promised end, and then only
/// was the feed ended as well.
pub(super) struct Source {
    pub(super) stream: ImageStream,
    pub(super) feed: Feed,
    /// The way to a decoder that takes the bytes in order, if there is one.
    pub(super) blocks: Option<Sender<Option<Arc<Block>>>>,
    pub(super) count: Arc<AtomicU64>,
    pub(super) stop: Cancel,
    /// How many blocks there are.
    pub(super) pool: usize,
}

impl Source {
    /// Reads to the end, `look`ing at all bytes, or until nobody wants them any more.
    pub(super) fn run(mut self, mut look: impl FnMut(&[u8])) -> Result<(), SourceError> {
        let pool = Pool::new(self.pool, || AlignedBuf::zeroed(BLOCK));
        let mut offset = 0u64;
        loop {
            self.stop.check()?;
            let Some(mut buf) = pool.take() else {
                return Ok(());
            };
            let len = self.fill(&mut buf, offset)?;
            offset = offset.saturating_add(len as u64);
            // Only at its end a source gives less.
            self.check_length(offset, len < BLOCK)?;
            if len == 0 {
                self.feed.end();
                // A decoder that gave up has its own reason.
                let _ = self.blocks.map(|blocks| blocks.send(None));
                return Ok(());
            }
            self.count.store(offset, Ordering::Relaxed);
            let block = Arc::new(Block { buf, len });
            look(block.bytes());
            self.feed.bytes(&block);
            if self
                .blocks
                .as_ref()
                .is_some_and(|to| to.send(Some(block)).is_err())
            {
                // The decoder gave up and has its own reason.
                return Ok(());
            }
        }
    }

    /// Fills `buf` as far as the source reaches.
    fn fill(&mut self, buf: &mut [u8], offset: u64) -> Result<usize, SourceError> {
        let mut len = 0;
        while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.stream.reader.read(rest) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let at = offset.saturating_add(len as u64);
                    return Err(SourceError::of_reader(&self.stream.name, at, source));
                }
            }
            self.stop.check()?;
        }
        Ok(len)
    }

    fn check_length(&self, got: u64, at_end: bool) -> Result<(), SourceError> {
        match self.stream.length {
            Some(want) if got > want || (at_end && got < want) => Err(SourceError::Length {
                name: self.stream.name.clone(),
                want,
                got,
            }),
            _ => Ok(()),
        }
    }
}

/// The blocks as a reader, for the decoder. A queue that closes without the end having come
/// through it is an error, not an end.
pub(super) struct Blocks {
    queue: Receiver<Option<Arc<Block>>>,
    block: Option<Arc<Block>>,
    used: usize,
    ended: bool,
}

impl Blocks {
    /// A queue and the reader at its far end; `None` in the queue is the source's end.
    pub(super) fn queue() -> (Sender<Option<Arc<Block>>>, Self) {
        let (sender, queue) = channel();
        (
            sender,
            Self {
                queue,
                block: None,
                used: 0,
                ended: false,
            },
        )
    }
}

impl Blocks {
    /// The next block as a whole; `None` at the end. Nothing of it must have been consumed.
    pub(super) fn next(&mut self) -> io::Result<Option<Arc<Block>>> {
        self.fill_buf()?;
        Ok(self.block.take())
    }
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self
            .block
            .as_ref()
            .is_none_or(|block| self.used >= block.bytes().len())
        {
            self.block = None;
            self.used = 0;
            if !self.ended {
                self.block = self
                    .queue
                    .recv()
                    .map_err(|_| io::Error::other("the source broke off"))?;
                self.ended = self.block.is_none();
            }
        }
        Ok(self
            .block
            .as_ref()
            .and_then(|b| b.bytes().get(self.used..))
            .unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount);
    }
}

impl Read for Blocks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let n = data.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), data.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}
