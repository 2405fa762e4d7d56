//! Decoding the blocks of an xz file each by itself, at its place: which files allow that, and the
//! decoder of one block.
//!
//! A block goes through liblzma as a stream of its own, between the file's Stream Header and an
//! index of this block only; so its checks and its sizes are verified by the library.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use embed::digest::Sha256Digest;
use embed::xz::{Block, Layout, XzError};
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use sha2::{Digest as _, Sha256};

use super::input::Input;
use super::{DecodeError, Format, classify};
use crate::disk::aligned::ALIGN;

/// What a block's decoder takes beside its dictionary: code tables and [`READ`], bytes.
const OVERHEAD: u64 = 1024 * 1024;

/// How much of the file is read at a time, bytes.
const READ: usize = 256 * 1024;

/// A local xz file whose blocks can be decoded in any order.
#[derive(Clone, Debug)]
pub(crate) struct BlockFile {
    file: Arc<File>,
    layout: Arc<Layout>,
    /// What the decoder of the most demanding block takes, bytes.
    pub(crate) memory: u64,
}

impl BlockFile {
    /// Reads the layout of `file`, `len` bytes long. `None` if it has none, or one that would give
    /// pieces that are unaligned, or a first one shorter than `first`: then it is read as a stream.
    pub(crate) fn find(
        file: &Arc<File>,
        len: u64,
        first: u64,
    ) -> Result<Option<Self>, DecodeError> {
        let read_at = |at, bytes: &mut [u8]| file.read_exact_at(bytes, at);
        let Some(layout) = Layout::read(len, read_at).map_err(damaged)? else {
            return Ok(None);
        };
        let aligned = |block: &Block| block.raw_offset.is_multiple_of(ALIGN as u64);
        let starts = layout.blocks.iter().take(1).all(|b| b.raw_length >= first);
        if layout.blocks.len() < 2 || !starts || !layout.blocks.iter().all(aligned) {
            return Ok(None);
        }
        let mut dictionary = 0u64;
        for block in &layout.blocks {
            let header = layout.block_header(block, read_at).map_err(damaged)?;
            dictionary = header.dictionary.max(dictionary);
        }
        Ok(Some(Self {
            file: Arc::clone(file),
            layout: Arc::new(layout),
            memory: dictionary.saturating_add(OVERHEAD),
        }))
    }

    /// The blocks, in order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.layout.blocks
    }

    /// What lies before and after the blocks.
    pub(crate) fn frame(&self) -> [&[u8]; 2] {
        [&self.layout.header, &self.layout.tail]
    }

    /// The decoder of a block. What it reads of the file is added to `count`, and hashed if wanted.
    pub(crate) fn decode(
        &self,
        block: &Block,
        hash: bool,
        count: &Arc<AtomicU64>,
    ) -> Result<BlockDecoder, DecodeError> {
        let stream =
            Stream::new_stream_decoder(self.memory, 0).map_err(|error| DecodeError::Corrupt {
                format: Format::Xz,
                at: block.offset,
                source: error.into(),
            })?;
        let bytes = BlockBytes {
            file: Arc::clone(&self.file),
            rest: block.offset..block.end(),
            tail: Some(self.layout.tail_of(block)),
            buf: self.layout.header.to_vec(),
            used: 0,
            hasher: hash.then(Sha256::new),
            count: Arc::clone(count),
        };
        Ok(BlockDecoder {
            start: block.offset.saturating_sub(self.layout.header.len() as u64),
            memory: self.memory,
            decoder: XzDecoder::new_stream(Input::new(bytes), stream),
        })
    }
}

fn damaged(error: XzError) -> DecodeError {
    let (format, at) = (Format::Xz, error.at());
    match error {
        XzError::Io { source, .. } => DecodeError::Input { at, source },
        error => {
            let source = io::Error::other(error);
            DecodeError::Corrupt { format, at, source }
        }
    }
}

/// The decoder of one block.
pub(crate) struct BlockDecoder {
    /// Place in the file of the first byte of its own stream, if that were there.
    start: u64,
    memory: u64,
    decoder: XzDecoder<Input<BlockBytes>>,
}

impl BlockDecoder {
    /// The next bytes of its content; 0 at the end, when every check has passed.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<usize, DecodeError> {
        loop {
            match self.decoder.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
                Ok(n) => return Ok(n),
            }
        }
    }

    fn error(&self, error: io::Error) -> DecodeError {
        let mut error = classify(Format::Xz, self.memory, self.decoder.get_ref(), error);
        match &mut error {
            DecodeError::Input { at, .. } | DecodeError::Corrupt { at, .. } => *at += self.start,
            // The block is there as long as the index says; so it is not what the index says.
            DecodeError::Truncated { format, at } => {
                return DecodeError::Corrupt {
                    format: *format,
                    at: *at + self.start,
                    source: io::ErrorKind::UnexpectedEof.into(),
                };
            }
            _ => {}
        }
        error
    }

    /// Digest of the block's bytes in the file, if it was wanted. All of it must have been read.
    pub(crate) fn digest(self) -> Option<Sha256Digest> {
        let hasher = self.decoder.into_inner().into_inner().hasher?;
        Some(Sha256Digest::finish(hasher))
    }
}

/// Stream Header, a block's bytes out of the file, and an index and footer for it.
struct BlockBytes {
    file: Arc<File>,
    rest: Range<u64>,
    tail: Option<Vec<u8>>,
    buf: Vec<u8>,
    used: usize,
    hasher: Option<Sha256>,
    count: Arc<AtomicU64>,
}

impl BlockBytes {
    /// Reads on.
    fn refill(&mut self) -> io::Result<()> {
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(READ);
        self.buf.resize(READ.min(left), 0);
        self.used = 0;
        if left == 0 {
            self.buf = self.tail.take().unwrap_or_default();
            return Ok(());
        }
        if let Err(error) = self.file.read_exact_at(&mut self.buf, self.rest.start) {
            self.buf.clear();
            return Err(error);
        }
        let len = self.buf.len() as u64;
        self.rest.start += len;
        self.count.fetch_add(len, Ordering::Relaxed);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buf);
        }
        Ok(())
    }
}

impl BufRead for BlockBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.buf.len() {
            self.refill()?;
        }
        Ok(self.buf.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount);
    }
}

impl Read for BlockBytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut data = self.fill_buf()?;
        let n = data.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}
