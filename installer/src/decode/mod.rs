//! Compressed images to raw bytes. The format is known by its magic only; whatever follows the
//! end of the compressed data, and an end that comes too early, are errors.

use std::fmt;
use std::io;

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
    #[error("the {format} data needs more memory to decode than the limit of {limit} bytes")]
    Memory {
        /// Format.
        format: Format,
        /// The limit.
        limit: u64,
    },
    /// A known format that is no disk image or not supported.
    #[error("this is {what}, not a raw disk image or one compressed with gzip, xz or zstd")]
    Unsupported {
        /// What it is.
        what: &'static str,
    },
}
