//! The bytes of `coreos/miniso.dat`, version 1: magic, version, program version, then the pieces,
//! the digest and the packed bytes, serialized by [`crate::bincode`].
//!
//! What follows the description is ignored: its place is made before its size is known.

use super::{MinimalError, MinimalIso, Piece};
use crate::bincode::{BincodeError, Input, put, put_bytes};
use crate::digest::Sha256Digest;

const MAGIC: &[u8; 8] = b"MINISO\0\0";
const VERSION: u32 = 1;
/// Largest description, bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

impl MinimalIso {
    /// Reads a description; bytes behind it are ignored.
    pub fn read(bytes: &[u8]) -> Result<Self, MinimalError> {
        let input = Input(bytes.get(..MAX_BYTES).unwrap_or(bytes));
        Self::read_from(input)
    }

    fn read_from(mut input: Input<&[u8]>) -> Result<Self, MinimalError> {
        if input.array().map_err(described)? != *MAGIC {
            return Err(MinimalError::Format("it starts with other bytes"));
        }
        let found = input.number_u32().map_err(described)?;
        let made_by = input.text(MAX_BYTES as u64).map_err(described)?;
        if found != VERSION {
            return Err(MinimalError::Version { found, made_by });
        }
        let mut pieces = Vec::new();
        for _ in 0..input.number().map_err(described)? {
            let mut number = || input.number_u32().map_err(described);
            pieces.push(Piece {
                minimal: number()?,
                full: number()?,
                length: number()?,
            });
        }
        check(&pieces)?;
        Ok(Self {
            made_by,
            pieces,
            digest: Sha256Digest(input.array().map_err(described)?),
            packed: input.bytes(MAX_BYTES as u64).map_err(described)?,
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

fn described(error: BincodeError) -> MinimalError {
    match error {
        BincodeError::Number => MinimalError::Format("a number is too large"),
        BincodeError::Io(error) => MinimalError::Io(error),
        BincodeError::Truncated | BincodeError::TooLong { .. } => TRUNCATED,
    }
}
