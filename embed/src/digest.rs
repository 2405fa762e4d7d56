//! SHA-256 and SHA-512 digests as values: parsed, shown and compared in lower-case hex, and a
//! reader that hashes what passes through it.
//!
//! Hashing is `sha2`'s; signatures are not here (see the installer's `verify`).

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha512};

/// Why a digest's text could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestError {
    /// Not the right number of hex digits.
    #[error("a {kind} digest has {want} hex digits, this has {got}")]
    Length {
        /// `sha256` or `sha512`.
        kind: &'static str,
        /// Digits expected.
        want: usize,
        /// Digits found.
        got: usize,
    },
    /// A character that is no hex digit.
    #[error("`{0}` is not hexadecimal")]
    NotHex(String),
    /// `TYPE-HEX` with a type other than sha256 and sha512.
    #[error("unknown digest type `{0}`; sha256 and sha512 are known")]
    UnknownType(String),
    /// No `-` between type and digits.
    #[error("a digest is written TYPE-HEX, for example sha256-e3b0…")]
    NoType,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $hasher:ty, $bytes:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Digest of `data`.
            pub fn of(data: &[u8]) -> Self {
                Self(<$hasher>::digest(data).into())
            }

            /// Finishes a running hash.
            pub fn finish(hasher: $hasher) -> Self {
                Self(hasher.finalize().into())
            }

            /// Digest of everything that `reader` gives, and its length in bytes.
            pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
                let mut hasher = <$hasher>::new();
                let mut buf = vec![0u8; 256 * 1024];
                let mut total = 0u64;
                loop {
                    let n = reader.read(&mut buf)?;
                    if n == 0 {
                        return Ok((Self::finish(hasher), total));
                    }
                    hasher.update(buf.get(..n).unwrap_or_default());
                    total += n as u64;
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", $kind, self)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;
            fn from_str(text: &str) -> Result<Self, DigestError> {
                if text.len() != 2 * $bytes {
                    return Err(DigestError::Length { kind: $kind, want: 2 * $bytes, got: text.len() });
                }
                let mut out = [0u8; $bytes];
                hex::decode_to_slice(text, &mut out)
                    .map_err(|_| DigestError::NotHex(text.to_owned()))?;
                Ok(Self(out))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest_type!(
    /// A SHA-256 digest.
    Sha256Digest, Sha256, 32, "sha256"
);
digest_type!(
    /// A SHA-512 digest.
    Sha512Digest, Sha512, 64, "sha512"
);

/// A digest with its type, as `--ignition-hash` and Ignition's `verification.hash` write it:
/// `sha256-HEX` or `sha512-HEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedDigest {
    /// `sha256-…`
    Sha256(Sha256Digest),
    /// `sha512-…`
    Sha512(Sha512Digest),
}

impl TypedDigest {
    /// Whether `data` has this digest.
    pub fn matches(&self, data: &[u8]) -> bool {
        match self {
            Self::Sha256(want) => Sha256Digest::of(data) == *want,
            Self::Sha512(want) => Sha512Digest::of(data) == *want,
        }
    }
}

impl FromStr for TypedDigest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text.split_once('-') {
            Some(("sha256", hex)) => hex.parse().map(Self::Sha256),
            Some(("sha512", hex)) => hex.parse().map(Self::Sha512),
            Some((other, _)) => Err(DigestError::UnknownType(other.to_owned())),
            None => Err(DigestError::NoType),
        }
    }
}

impl fmt::Display for TypedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(d) => write!(f, "sha256-{d}"),
            Self::Sha512(d) => write!(f, "sha512-{d}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_digest_round_trips_and_refuses_what_is_not_one() {
        let text = format!("sha256-{}", Sha256Digest::of(b"x"));
        let digest: TypedDigest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        assert!(digest.matches(b"x"));
        assert!(!digest.matches(b"y"));
        assert_eq!(
            "md5-00".parse::<TypedDigest>(),
            Err(DigestError::UnknownType("md5".into()))
        );
        assert_eq!("00".parse::<TypedDigest>(), Err(DigestError::NoType));
        assert_eq!(
            "sha256-00".parse::<TypedDigest>(),
            Err(DigestError::Length {
                kind: "sha256",
                want: 64,
                got: 2
            })
        );
    }

    #[test]
    fn reader_digest_equals_slice_digest() {
        let data = vec![7u8; 300_000];
        let (digest, len) = Sha512Digest::of_reader(data.as_slice()).unwrap();
        assert_eq!((digest, len), (Sha512Digest::of(&data), 300_000));
    }
}
