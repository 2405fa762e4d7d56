//! The serialization of `miniso.dat` and of osmet files: bincode 1 with numbers of variable length,
//! little endian.
//!
//! A number below 251 is one byte; a larger one is a byte that tells its size, and then the number.
//! Strings and lists are their length and what is in them. Nothing is allocated because of a length
//! that is merely claimed.

use std::io::{self, Read};

/// First byte of a number that follows in 2, 4 or 8 bytes.
const U16: u8 = 251;
const U32: u8 = 252;
const U64: u8 = 253;

/// Why a value could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BincodeError {
    /// The bytes end within a value.
    #[error("it is cut short")]
    Truncated,
    /// A number that does not fit its place.
    #[error("a number is too large")]
    Number,
    /// A string or list of bytes that is longer than any real one.
    #[error("a text of {length} bytes is longer than {limit}")]
    TooLong {
        /// Bytes claimed.
        length: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// Reading failed.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
}

/// Values, read one after the other.
#[derive(Debug)]
pub(crate) struct Input<R>(pub(crate) R);

impl<R: Read> Input<R> {
    /// The next `N` bytes as they are.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], BincodeError> {
        let mut bytes = [0; N];
        self.0
            .read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => BincodeError::Truncated,
                _ => BincodeError::Io(error),
            })?;
        Ok(bytes)
    }

    /// A number of up to 64 bits.
    pub(crate) fn number(&mut self) -> Result<u64, BincodeError> {
        let [first] = self.array()?;
        Ok(match first {
            U16 => u16::from_le_bytes(self.array()?).into(),
            U32 => u32::from_le_bytes(self.array()?).into(),
            U64 => u64::from_le_bytes(self.array()?),
            254.. => return Err(BincodeError::Number),
            small => small.into(),
        })
    }

    /// A number of up to 32 bits.
    pub(crate) fn number_u32(&mut self) -> Result<u32, BincodeError> {
        u32::try_from(self.number()?).map_err(|_| BincodeError::Number)
    }

    /// A length of at most `limit`, and that many bytes.
    pub(crate) fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, BincodeError> {
        let length = self.number()?;
        if length > limit {
            return Err(BincodeError::TooLong { length, limit });
        }
        let mut bytes = Vec::new();
        let input = self.0.by_ref().take(length);
        let read = { input }.read_to_end(&mut bytes);
        match read.map_err(BincodeError::Io)? as u64 {
            read if read == length => Ok(bytes),
            _ => Err(BincodeError::Truncated),
        }
    }

    /// A text of at most `limit` bytes; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, limit: u64) -> Result<String, BincodeError> {
        let bytes = self.bytes(limit)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, number: u64) {
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

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        for (number, bytes) in [
            (0, &[0][..]),
            (250, &[250]),
            (251, &[251, 251, 0]),
            (0xffff, &[251, 0xff, 0xff]),
            (0x1_0000, &[252, 0, 0, 1, 0]),
            (0x1_0000_0000, &[253, 0, 0, 0, 0, 1, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            put(&mut out, number);
            assert_eq!(out, bytes);
            assert_eq!(Input(bytes).number().unwrap(), number);
            let cut = Input(&bytes[..bytes.len() - 1]).number();
            assert!(matches!(cut, Err(BincodeError::Truncated)), "{cut:?}");
        }
        let wide = Input(&[254][..]).number();
        assert!(matches!(wide, Err(BincodeError::Number)), "{wide:?}");
        let wide = Input(&[253, 0, 0, 0, 0, 1, 0, 0, 0][..]).number_u32();
        assert!(matches!(wide, Err(BincodeError::Number)), "{wide:?}");
    }

    #[test]
    fn a_claimed_length_is_neither_trusted_nor_allocated() {
        let huge = [253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'x'];
        let error = Input(&huge[..]).bytes(100).unwrap_err();
        assert!(
            matches!(error, BincodeError::TooLong { limit: 100, .. }),
            "{error:?}"
        );
        let error = Input(&huge[..]).bytes(u64::MAX).unwrap_err();
        assert!(matches!(error, BincodeError::Truncated), "{error:?}");
    }
}
