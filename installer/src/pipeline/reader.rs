//! The thread that reads the source: every block goes to the check and to the decoder, which
//! share it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::pool::{Pool, Pooled};
use crate::cancel::Cancel;
use crate::source::{ImageStream, SourceError};
use crate::verify::Feed;

/// Size of a block, bytes.
const BLOCK: usize = 256 * 1024;

/// How many blocks there are: how far the slower of check and decoder may lag behind.
const BLOCKS: usize = 64;

/// Bytes of the source, as published.
#[derive(Debug)]
pub(crate) struct Block {
    buf: Pooled<Vec<u8>>,
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
    pub(super) blocks: Sender<Option<Arc<Block>>>,
    pub(super) count: Arc<AtomicU64>,
    pub(super) stop: Cancel,
}

impl Source {
    /// Reads to the end, or until nobody wants the bytes any more.
    pub(super) fn run(mut self) -> Result<(), SourceError> {
        let pool = Pool::new(BLOCKS, || vec![0u8; BLOCK]);
        let mut offset = 0u64;
        loop {
            self.stop.check()?;
            let Some(mut buf) = pool.take() else {
                return Ok(());
            };
            let len = self.fill(&mut buf, offset)?;
            offset = offset.saturating_add(len as u64);
            self.check_length(offset, len == 0)?;
            if len == 0 {
                self.feed.end();
                // A decoder that gave up has its own reason.
                let _ = self.blocks.send(None);
                return Ok(());
            }
            self.count.store(offset, Ordering::Relaxed);
            let block = Arc::new(Block { buf, len });
            self.feed.bytes(&block);
            if self.blocks.send(Some(block)).is_err() {
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
