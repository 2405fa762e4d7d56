//! The image path as running threads, from a source to raw chunks that the caller takes and
//! writes: an image as one stream ([`streamed`]), a local xz file block by block ([`indexed`]), or a
//! packed one frame by frame ([`chunked`]).
//!
//! Memory is bounded by pools of buffers. A [`Verified`] comes out of its end only, after
//! everything went through its check and the last raw byte was taken.

mod chunked;
mod indexed;
mod memory;
pub(crate) mod pool;
mod reader;
mod streamed;

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use embed::chunks::Manifest;
use embed::progress::Progress;

use crate::cancel::{Cancel, Cancelled};
use crate::decode::DecodeError;
use crate::disk::aligned::AlignedBuf;
use crate::observe::Observer;
use crate::source::listed::Listed;
use crate::source::{ImageStream, SourceError};
use crate::verify::{Check, CheckedChunk, Verified, VerifyError, Vouched};

use chunked::Chunked;
use indexed::Indexed;
pub use memory::{MemoryBudget, MemoryBudgetError};
use pool::Pooled;
pub(crate) use reader::Block;
use streamed::Streamed;

/// Size of a chunk of raw image as it is handed on, bytes; only the last one is smaller.
pub(crate) const CHUNK: usize = 1024 * 1024;

static ZEROES: [u8; CHUNK] = [0; CHUNK];

/// How often a caller that waits for a chunk looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);

/// Why an image could not be read to its verified end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The source failed.
    #[error("cannot read the image")]
    Source(#[source] SourceError),
    /// The compressed data is not good.
    #[error("cannot decode {name}")]
    Decode {
        /// Path or URL of the image.
        name: String,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// Nobody vouches for the bytes.
    #[error("the image failed verification")]
    Verify(#[source] VerifyError),
    /// The unpacked image could not be written.
    #[error("cannot write the unpacked image")]
    Write(#[source] std::io::Error),
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// How an image that is one stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) decoding: Decoding,
    pub(crate) order: Order,
    pub(crate) memory: MemoryBudget,
}

impl Reading {
    /// In order, with the default memory.
    pub(crate) fn new(decoding: Decoding) -> Self {
        let memory = MemoryBudget::of_this_machine();
        let order = Order::Ascending;
        Self {
            decoding,
            order,
            memory,
        }
    }
}

/// In which order the caller takes the parts of the raw image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// From the first byte to the last.
    Ascending,
    /// The first part first, then as they come.
    Any,
}

/// Whether compressed data is decoded or taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoding {
    /// By its magic.
    Detect,
    /// Not at all.
    AsIs,
}

/// How much of a packed image's file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The frames of the chunks: all that the raw image needs. A bad one is fetched again.
    Frames,
    /// All of the file, which must be the one that is listed. Then whoever reads it without the
    /// manifest gets the same image. A bad frame is a finding and not fetched again.
    File,
}

/// A part of the raw image.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Where it belongs in the image, bytes.
    pub(crate) offset: u64,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    /// What the source gave.
    Source(Arc<Block>),
    /// The first bytes of a buffer.
    Decoded(Pooled<AlignedBuf>, usize),
    /// A part of a packed image's chunk.
    Checked(Arc<CheckedChunk>, Range<usize>),
    /// So many zeroes, at most a chunk.
    Zeroes(usize),
}

impl Chunk {
    /// Whether it is known, without looking, to be nothing but zeroes.
    pub(crate) fn is_zeroes(&self) -> bool {
        matches!(self.bytes, Bytes::Zeroes(_))
    }
}

impl Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Source(block) => Some(block.bytes()),
            Bytes::Decoded(buf, len) => buf.get(..*len),
            Bytes::Checked(chunk, range) => chunk.bytes().get(range.clone()),
            Bytes::Zeroes(len) => ZEROES.get(..*len),
        }
        .unwrap_or_default()
    }
}

/// A running image path.
#[derive(Debug)]
pub struct Pipeline(Way);

#[derive(Debug)]
enum Way {
    Streamed(Box<Streamed>),
    Indexed(Box<Indexed>),
    Chunked(Box<Chunked>),
}

impl Pipeline {
    /// Starts reading an image that has no manifest.
    pub(crate) fn start(
        stream: ImageStream,
        check: Check,
        reading: Reading,
        cancel: &Cancel,
    ) -> Self {
        if reading.decoding == Decoding::Detect && reading.order == Order::Any {
            let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let plan = indexed::Plan::of(&stream, reading.memory, processors);
            if let Some(plan) = plan.transpose() {
                let indexed = Indexed::start(stream, check, plan, cancel);
                return Self(Way::Indexed(Box::new(indexed)));
            }
        }
        Self(Way::Streamed(Box::new(Streamed::start(
            stream, check, reading, cancel,
        ))))
    }

    /// Starts reading a packed image by its manifest.
    pub(crate) fn start_listed(
        listed: Listed,
        vouched: Vouched,
        extent: Extent,
        memory: MemoryBudget,
        cancel: &Cancel,
    ) -> Self {
        Self(Way::Chunked(Box::new(Chunked::start(
            listed, vouched, extent, memory, cancel,
        ))))
    }

    /// The chunk manifest and its path or URL, if the image is read by one.
    pub(crate) fn list(&self) -> Option<(&str, &Manifest)> {
        match &self.0 {
            Way::Streamed(_) | Way::Indexed(_) => None,
            Way::Chunked(chunked) => Some(chunked.list()),
        }
    }

    /// Path or URL of the image.
    pub(crate) fn name(&self) -> &str {
        match &self.0 {
            Way::Streamed(streamed) => &streamed.name,
            Way::Indexed(indexed) => &indexed.name,
            Way::Chunked(chunked) => &chunked.name,
        }
    }

    /// Size of the source, if it tells it.
    pub(crate) fn total(&self) -> Option<u64> {
        match &self.0 {
            Way::Streamed(streamed) => streamed.total,
            Way::Indexed(indexed) => indexed.total,
            Way::Chunked(chunked) => Some(chunked.total()),
        }
    }

    /// How far the source was read.
    pub(crate) fn progress(&self) -> Progress {
        match &self.0 {
            Way::Streamed(streamed) => streamed.progress(),
            Way::Indexed(indexed) => indexed.progress(),
            Way::Chunked(chunked) => chunked.progress(),
        }
    }

    /// The next part of the raw image, in the order that was asked for; `None` at its end. What the
    /// source meets in the meantime is told to `observer`.
    pub(crate) fn next(&mut self, observer: &dyn Observer) -> Result<Option<Chunk>, ImageError> {
        match &mut self.0 {
            Way::Streamed(streamed) => streamed.next(observer),
            Way::Indexed(indexed) => indexed.next(),
            Way::Chunked(chunked) => chunked.next(observer),
        }
    }

    /// The verdict over the whole source. All chunks must have been taken.
    pub(crate) fn finish(self) -> Result<Verified, ImageError> {
        match self.0 {
            Way::Streamed(streamed) => streamed.finish(),
            Way::Indexed(indexed) => indexed.finish(),
            Way::Chunked(chunked) => chunked.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
