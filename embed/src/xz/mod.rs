//! Where the blocks of an xz file are, so that each can be decoded by itself: Stream Header and
//! Footer, Index and Block Headers of the .xz file format 1.2.1 (sections 2.1 to 4, 5.3.1).
//!
//! Only files of one stream have a layout here; others are for a decoder that reads from the start.
//! Nothing is decompressed.

mod block;
mod layout;
mod number;

use std::io;

pub use block::BlockHeader;
pub use layout::{Block, Layout};

/// Length of a Stream Header and of a Stream Footer, bytes.
pub const HEADER: usize = 12;

/// The longest Block Header, bytes.
pub const BLOCK_HEADER: usize = 1024;

/// Why an xz file contradicts itself. Offsets are in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XzError {
    /// It could not be read.
    #[error("reading failed at byte {at}")]
    Io {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A checksum does not match.
    #[error("the {what} at byte {at} is damaged: its CRC32 does not match")]
    Checksum {
        /// `index`, `block header`
        what: &'static str,
        /// Where it begins.
        at: u64,
    },
    /// A field has a value that the format does not allow.
    #[error("the {what} at byte {at} is not valid: {why}")]
    Invalid {
        /// `index`, `block header`, `stream footer`
        what: &'static str,
        /// Where it begins.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The blocks that the index lists are longer than the file.
    #[error("the index at byte {at} lists {listed} bytes of blocks; the file has room for {room}")]
    TooLong {
        /// Where the index begins.
        at: u64,
        /// What the index lists, bytes.
        listed: u64,
        /// What lies before it, bytes.
        room: u64,
    },
    /// A Block Header says otherwise than the index.
    #[error("the block at byte {at} says that its {what} is {block}; the index says {index}")]
    Disagree {
        /// Where the block begins.
        at: u64,
        /// `compressed size`, `uncompressed size`
        what: &'static str,
        /// By its header.
        block: u64,
        /// By the index.
        index: u64,
    },
}

impl XzError {
    /// What it is about: a place in the file, bytes.
    pub fn at(&self) -> u64 {
        match self {
            Self::Io { at, .. }
            | Self::Checksum { at, .. }
            | Self::Invalid { at, .. }
            | Self::TooLong { at, .. }
            | Self::Disagree { at, .. } => *at,
        }
    }
}

/// CRC32 of the format: that of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes)
}

/// Takes the CRC32 from the end of `bytes`; what it is about, if it matches.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    (u32::from_le_bytes(*sum) == crc32(body)).then_some(body)
}

#[cfg(test)]
mod tests;
