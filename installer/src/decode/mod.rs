//! Compressed images to raw bytes. The format is known by its magic only; whatever follows the
//! end of the compressed data, and an end that comes too early, are errors.
//!
//! Members, streams and frames of the same format may follow each other, as the formats'
//! specifications allow. Signatures are not here.

mod block;
mod input;
mod magic;
mod window;

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{MtStreamBuilder, Stream};

pub(crate) use block::BlockFile;
use input::Input;
pub(crate) use magic::{LEN as MAGIC_LEN, format_of};

/// The largest window that the zstd library decodes, as a power of two; what is used is bounded by
/// the memory that the decoder is given.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// How an image is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Raw,
    /// gzip (RFC 1952), any number of members.
    Gzip,
    /// xz, any number of streams.
    Xz,
    /// Zstandard (RFC 8878), any number of frames.
    Zstd,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// Why an image could not be decoded. Offsets are in the compressed bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("it is empty")]
    Empty,
    /// The compressed data ends too early.
    #[error("the {format} data ends in the middle, after {at} bytes")]
    Truncated {
        /// Format.
        format: Format,
        /// Length of what is there.
        at: u64,
    },
    /// There is something after the compressed data.
    #[error("something follows the end of the {format} data at byte {at}")]
    TrailingData {
        /// Format.
        format: Format,
        /// Where the compressed data ends.
        at: u64,
    },
    /// The compressed data is damaged.
    #[error("the {format} data is damaged near byte {at}")]
    Corrupt {
        /// Format.
        format: Format,
        /// About where.
        at: u64,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// The compressed data cannot be decoded within the memory limit.
    #[error(
        "decoding the {format} data takes at least {} MiB of memory; {} MiB are left for it",
        need.div_ceil(1 << 20),
        limit >> 20
    )]
    Memory {
        /// Format.
        format: Format,
        /// What it takes, as far as is known, bytes.
        need: u64,
        /// What there is for it, bytes.
        limit: u64,
    },
    /// A known format that is no disk image or not supported.
    #[error("it is {what}, not a raw disk image or one compressed with gzip, xz or zstd")]
    Unsupported {
        /// What it is.
        what: &'static str,
    },
    /// The reader below failed.
    #[error("reading failed after {at} bytes")]
    Input {
        /// Bytes read before.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Raw bytes out of a reader of compressed ones.
pub(crate) struct Decoder<R: BufRead> {
    format: Format,
    /// Memory that the decoder may take, bytes.
    memory: u64,
    /// Empty only while one member is exchanged for the next, and after an error.
    member: Option<Member<R>>,
}

/// One gzip member, xz stream or zstd frame, or all of a raw image.
enum Member<R: BufRead> {
    Raw(Input<R>),
    Gzip(Box<GzDecoder<Input<R>>>),
    Xz(XzDecoder<Input<R>>),
    Zstd(zstd::stream::read::Decoder<'static, Input<R>>),
}

/// How many of a file's first bytes [`not_raw`] wants to see.
pub(crate) const START: usize = magic::LEN;

/// What a file that begins with `start` is instead of a raw image.
pub(crate) fn not_raw(start: &[u8]) -> Option<&'static str> {
    match magic::format_of(start) {
        Ok(Format::Raw) => None,
        Ok(Format::Gzip) => Some("gzip data"),
        Ok(Format::Xz) => Some("xz data"),
        Ok(Format::Zstd) => Some("zstd data"),
        Err(what) => Some(what),
    }
}

/// Whether a file that begins with `start` is taken for a raw image.
pub(crate) fn is_raw(start: &[u8]) -> bool {
    !start.is_empty() && format_of(start) == Ok(Format::Raw)
}

impl<R: BufRead> Decoder<R> {
    /// Looks at the first bytes and sets up their decoder, which may take `memory` bytes.
    pub(crate) fn detect(reader: R, memory: u64) -> Result<Self, DecodeError> {
        let mut input = Input::new(reader);
        let start = peek(&mut input, magic::LEN)?;
        if start.is_empty() {
            return Err(DecodeError::Empty);
        }
        let format = magic::format_of(start).map_err(|what| DecodeError::Unsupported { what })?;
        Ok(Self {
            format,
            memory,
            member: Some(Member::new(format, input, memory)?),
        })
    }

    /// The next raw bytes; 0 only at the proper end of everything.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<usize, DecodeError> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            match member.read(buf) {
                Ok(0) => {
                    let Some(member) = self.member.take() else {
                        return Ok(0);
                    };
                    self.member = self.next_member(member)?;
                }
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = classify(self.format, self.memory, member.input(), error);
                    self.member = None;
                    return Err(error);
                }
            }
        }
    }

    /// What follows a member that has ended: another one, or nothing.
    fn next_member(&self, member: Member<R>) -> Result<Option<Member<R>>, DecodeError> {
        let format = self.format;
        let mut input = member.into_input();
        if format == Format::Raw {
            return Ok(None);
        }
        let at = input.consumed();
        if format == Format::Xz {
            skip_xz_padding(&mut input)?;
        }
        let start = peek(&mut input, magic::LEN)?;
        if start.is_empty() {
            Ok(None)
        } else if magic::format_of(start) == Ok(format) {
            Member::new(format, input, self.memory).map(Some)
        } else {
            Err(DecodeError::TrailingData { format, at })
        }
    }
}

/// The next `want` bytes, fewer only at the end; they stay to be read.
fn peek<R: BufRead>(input: &mut Input<R>, want: usize) -> Result<&[u8], DecodeError> {
    match input.look(want) {
        Ok(()) => Ok(input.ahead(want)),
        Err(source) => Err(DecodeError::Input {
            at: input.reached(),
            source,
        }),
    }
}

/// Stream Padding of the xz format: zero bytes in fours.
fn skip_xz_padding<R: BufRead>(input: &mut Input<R>) -> Result<(), DecodeError> {
    loop {
        if peek(input, 4)? != [0; 4] {
            return Ok(());
        }
        input.consume(4);
    }
}

impl<R: BufRead> Member<R> {
    fn new(format: Format, mut input: Input<R>, memory: u64) -> Result<Self, DecodeError> {
        let at = input.consumed();
        let start = peek(&mut input, window::LEN)?;
        if let Some(need) = window::need(format, start).filter(|need| *need > memory) {
            let limit = memory;
            return Err(DecodeError::Memory {
                format,
                need,
                limit,
            });
        }
        let corrupt = |source| DecodeError::Corrupt { format, at, source };
        Ok(match format {
            Format::Raw => Self::Raw(input),
            Format::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            Format::Xz => {
                let stream = xz_stream(memory).map_err(|e| corrupt(e.into()))?;
                Self::Xz(XzDecoder::new_stream(input, stream))
            }
            Format::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)
                    .map_err(corrupt)?
                    .single_frame();
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(corrupt)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Raw(input) => input.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Xz(decoder) => decoder.read(buf),
            Self::Zstd(decoder) => decoder.read(buf),
        }
    }

    fn input(&self) -> &Input<R> {
        match self {
            Self::Raw(input) => input,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Xz(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn into_input(self) -> Input<R> {
        match self {
            Self::Raw(input) => input,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
        }
    }
}

/// An xz decoder that uses all processors for images of many blocks, as far as `memory` reaches.
fn xz_stream(memory: u64) -> Result<Stream, liblzma::stream::Error> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    MtStreamBuilder::new()
        .threads(u32::try_from(threads).unwrap_or(1))
        .memlimit_threading(memory)
        .memlimit_stop(memory)
        .decoder()
}

fn classify<R: BufRead>(
    format: Format,
    memory: u64,
    input: &Input<R>,
    error: io::Error,
) -> DecodeError {
    let at = input.consumed();
    if input.failed() || format == Format::Raw {
        return DecodeError::Input { at, source: error };
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return DecodeError::Truncated { format, at };
    }
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<liblzma::stream::Error>());
    if matches!(inner, Some(liblzma::stream::Error::MemLimit)) {
        return DecodeError::Memory {
            format,
            need: memory.saturating_add(1),
            limit: memory,
        };
    }
    DecodeError::Corrupt {
        format,
        at,
        source: error,
    }
}

#[cfg(test)]
mod tests;
