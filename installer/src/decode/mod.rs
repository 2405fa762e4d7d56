//! Compressed images to raw bytes. The format is known by its magic only; whatever follows the
//! end of the compressed data, and an end that comes too early, are errors.
//!
//! Members, streams and frames of the same format may follow each other, as the formats'
//! specifications allow. Signatures are not here.

mod input;
mod magic;

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{MtStreamBuilder, Stream};

use input::Input;
pub(crate) use magic::{LEN as MAGIC_LEN, format_of};

/// Memory that an xz stream may ask for at all, bytes. `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 1024 * 1024 * 1024;

/// Memory up to which xz blocks are decoded in parallel, bytes; above, one after another.
const XZ_PARALLEL_MEMORY: u64 = 768 * 1024 * 1024;

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
    #[error("the {format} data needs more memory to decode than {limit} bytes")]
    Memory {
        /// Format.
        format: Format,
        /// The limit.
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

impl<R: BufRead> Decoder<R> {
    /// Looks at the first bytes and sets up their decoder.
    pub(crate) fn detect(reader: R) -> Result<Self, DecodeError> {
        let mut input = Input::new(reader);
        let start = input
            .peek(magic::LEN)
            .map_err(|source| DecodeError::Input { at: 0, source })?;
        if start.is_empty() {
            return Err(DecodeError::Empty);
        }
        let format = magic::format_of(start).map_err(|what| DecodeError::Unsupported { what })?;
        Ok(Self {
            format,
            member: Some(Member::new(format, input)?),
        })
    }

    /// Takes the bytes as they are, whatever they look like.
    pub(crate) fn as_is(reader: R) -> Self {
        Self {
            format: Format::Raw,
            member: Some(Member::Raw(Input::new(reader))),
        }
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
                    let error = classify(self.format, member.input(), error);
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
        let start = input
            .peek(magic::LEN)
            .map_err(|source| DecodeError::Input { at, source })?;
        if start.is_empty() {
            Ok(None)
        } else if magic::format_of(start) == Ok(format) {
            Member::new(format, input).map(Some)
        } else {
            Err(DecodeError::TrailingData { format, at })
        }
    }
}

/// Stream Padding of the xz format: zero bytes in fours.
fn skip_xz_padding<R: BufRead>(input: &mut Input<R>) -> Result<(), DecodeError> {
    loop {
        let at = input.consumed();
        let next = input
            .peek(4)
            .map_err(|source| DecodeError::Input { at, source })?;
        if next != [0; 4] {
            return Ok(());
        }
        input.consume(4);
    }
}

impl<R: BufRead> Member<R> {
    fn new(format: Format, input: Input<R>) -> Result<Self, DecodeError> {
        let at = input.consumed();
        let corrupt = |source| DecodeError::Corrupt { format, at, source };
        Ok(match format {
            Format::Raw => Self::Raw(input),
            Format::Gzip => Self::Gzip(Box::new(GzDecoder::new(input))),
            Format::Xz => {
                let stream = xz_stream().map_err(|e| corrupt(e.into()))?;
                Self::Xz(XzDecoder::new_stream(input, stream))
            }
            Format::Zstd => Self::Zstd(
                zstd::stream::read::Decoder::with_buffer(input)
                    .map_err(corrupt)?
                    .single_frame(),
            ),
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

/// An xz decoder that uses all processors for images of many blocks.
fn xz_stream() -> Result<Stream, liblzma::stream::Error> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    MtStreamBuilder::new()
        .threads(u32::try_from(threads).unwrap_or(1))
        .memlimit_threading(XZ_PARALLEL_MEMORY)
        .memlimit_stop(XZ_MEMORY)
        .decoder()
}

fn classify<R: BufRead>(format: Format, input: &Input<R>, error: io::Error) -> DecodeError {
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
            limit: XZ_MEMORY,
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
