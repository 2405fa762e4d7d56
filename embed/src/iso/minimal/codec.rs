//! The bytes of `coreos/miniso.dat`, version 1: magic, version, program version, then the pieces,
//! the digest and the packed bytes. Little endian; numbers below 251 are one byte, larger ones a
//! byte that tells their size and then the number.
//!
//! What follows the description is ignored: its place is made before its size is known.

use super::{MinimalError, MinimalIso, Piece};
use crate::digest::Sha256Digest;

const MAGIC: &[u8; 8] = b"MINISO\0\0";
const VERSION: u32 = 1;
/// Largest description, bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// A piece is three numbers.
const MIN_PIECE: usize = 3;

/// First byte of a number that follows in 2, 4 or 8 bytes.
const U16: u8 = 251;
const U32: u8 = 252;
const U64: u8 = 253;

impl MinimalIso {
    /// Reads a description; bytes behind it are ignored.
    pub fn read(bytes: &[u8]) -> Result<Self, MinimalError> {
        let mut input = Input(bytes.get(..MAX_BYTES).unwrap_or(bytes));
        if input.take(MAGIC.len())? != MAGIC {
            return Err(MinimalError::Format("it starts with other bytes"));
        }
        let found = input.number_u32()?;
        let made_by = String::from_utf8_lossy(input.bytes()?).into_owned();
        if found != VERSION {
            return Err(MinimalError::Version { found, made_by });
        }
        let count = input.length()?;
        if count > input.0.len() / MIN_PIECE {
            return Err(TRUNCATED);
        }
        let mut pieces = Vec::with_capacity(count);
        for _ in 0..count {
            pieces.push(Piece {
                minimal: input.number_u32()?,
                full: input.number_u32()?,
                length: input.number_u32()?,
            });
        }
        check(&pieces)?;
        let digest = input.take(32)?;
        let digest = Sha256Digest(digest.try_into().map_err(|_| TRUNCATED)?);
        let packed = input.bytes()?.to_vec();
        Ok(Self {
            made_by,
            pieces,
            digest,
            packed,
        })
    }

    /// The description as bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MinimalError> {
        let mut out = MAGIC.to_vec();
        put(&mut out, VERSION.into());
        put_bytes(&mut out, self.made_by.as_bytes());
        put(&mut out, self.pieces.len() as u64);
        for piece in &self.pieces {
            put(&mut out, piece.minimal.into());
            put(&mut out, piece.full.into());
            put(&mut out, piece.length.into());
        }
        out.extend(self.digest.0);
        put_bytes(&mut out, &self.packed);
        if out.len() > MAX_BYTES {
            return Err(MinimalError::TooLarge {
                size: out.len() as u64,
                room: MAX_BYTES as u64,
            });
        }
        Ok(out)
    }
}

const TRUNCATED: MinimalError = MinimalError::Format("it is cut short");

/// Whether pieces are there, in order and apart from each other.
pub(super) fn check(pieces: &[Piece]) -> Result<(), MinimalError> {
    if pieces.is_empty() {
        return Err(MinimalError::Format("the images have no file in common"));
    }
    let overlap = pieces.windows(2).any(|pair| match pair {
        [a, b] => a.end() > b.start(),
        _ => false,
    });
    match overlap {
        true => Err(MinimalError::Format("files overlap")),
        false => Ok(()),
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], MinimalError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, MinimalError> {
        let first = *self.take(1)?.first().ok_or(TRUNCATED)?;
        let width = match first {
            U16 => 2,
            U32 => 4,
            U64 => 8,
            254.. => return Err(MinimalError::Format("a number is too large")),
            small => return Ok(small.into()),
        };
        let bytes = self.take(width)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn number_u32(&mut self) -> Result<u32, MinimalError> {
        u32::try_from(self.number()?).map_err(|_| MinimalError::Format("a number is too large"))
    }

    fn length(&mut self) -> Result<usize, MinimalError> {
        usize::try_from(self.number()?).map_err(|_| TRUNCATED)
    }

    /// A length and that many bytes.
    fn bytes(&mut self) -> Result<&'a [u8], MinimalError> {
        let length = self.length()?;
        self.take(length)
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    if let Ok(small @ 0..U16) = u8::try_from(number) {
        out.push(small);
    } else if let Ok(number) = u16::try_from(number) {
        out.push(U16);
        out.extend(number.to_le_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(U32);
        out.extend(number.to_le_bytes());
    } else {
        out.push(U64);
        out.extend(number.to_le_bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend(bytes);
}
