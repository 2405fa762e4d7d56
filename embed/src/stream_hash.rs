//! A list of chunk digests that lets a stream be checked as it arrives: no byte is handed on
//! before its chunk was verified.
//!
//! Text form as in CoreOS live initramfs images: a line `stream-hash sha256 N`, then one
//! hexadecimal SHA-256 per chunk of N bytes; the last chunk may be short.

use std::fmt::{self, Write as _};
use std::io::{self, Read};

use crate::digest::Sha256Digest;

/// Largest chunk that is accepted, bytes.
pub const MAX_CHUNK: usize = 64 * 1024 * 1024;
/// Chunk size that is written, bytes.
pub const CHUNK: usize = 1024 * 1024;

/// Why a list or a stream was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamHashError {
    /// First line is not `stream-hash sha256 N` with N from 1 to [`MAX_CHUNK`].
    #[error("not a list of chunk hashes: bad first line")]
    Header,
    /// A line is no SHA-256.
    #[error("line {0} is not a SHA-256 in hexadecimal")]
    Line(usize),
    /// A list of nothing.
    #[error("list holds no chunk")]
    Empty,
    /// A chunk differs from the list.
    #[error("chunk at byte {offset} does not have the expected SHA-256")]
    Mismatch {
        /// First byte of the chunk.
        offset: u64,
    },
    /// Fewer chunks than listed.
    #[error("stream ends at byte {offset}, before the last listed chunk")]
    Truncated {
        /// Bytes seen.
        offset: u64,
    },
    /// More bytes than listed.
    #[error("stream goes on after byte {offset}, where the list ends")]
    Surplus {
        /// Bytes listed.
        offset: u64,
    },
}

/// Digests of a stream's chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamHash {
    chunk: usize,
    digests: Vec<Sha256Digest>,
}

impl StreamHash {
    /// Digests of everything that `reader` gives, in chunks of `chunk` bytes.
    pub fn of_reader(mut reader: impl Read, chunk: usize) -> io::Result<Self> {
        let mut digests = Vec::new();
        loop {
            let data = read_chunk(&mut reader, chunk)?;
            if data.is_empty() && !digests.is_empty() {
                return Ok(Self { chunk, digests });
            }
            digests.push(Sha256Digest::of(&data));
            if data.len() < chunk {
                return Ok(Self { chunk, digests });
            }
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, StreamHashError> {
        let mut lines = text.lines();
        let chunk = lines
            .next()
            .and_then(|line| line.strip_prefix("stream-hash sha256 "))
            .and_then(|n| n.trim().parse::<usize>().ok())
            .filter(|n| (1..=MAX_CHUNK).contains(n))
            .ok_or(StreamHashError::Header)?;
        let digests: Vec<_> = lines
            .enumerate()
            .map(|(i, line)| {
                line.trim()
                    .parse()
                    .map_err(|_| StreamHashError::Line(i + 2))
            })
            .collect::<Result<_, _>>()?;
        if digests.is_empty() {
            return Err(StreamHashError::Empty);
        }
        Ok(Self { chunk, digests })
    }

    /// Chunk size, bytes.
    pub fn chunk_size(&self) -> usize {
        self.chunk
    }

    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.digests.len()
    }

    /// Checks the chunk number `index` (from 0).
    pub fn check(&self, index: usize, data: &[u8]) -> Result<(), StreamHashError> {
        let offset = index as u64 * self.chunk as u64;
        match self.digests.get(index) {
            None => Err(StreamHashError::Surplus { offset }),
            Some(want) if Sha256Digest::of(data) == *want => Ok(()),
            Some(_) if data.is_empty() => Err(StreamHashError::Truncated { offset }),
            Some(_) => Err(StreamHashError::Mismatch { offset }),
        }
    }

    /// A reader that gives `inner`'s bytes chunk by verified chunk, and fails at the first that
    /// differs, when chunks are missing, and when bytes are left over.
    pub fn verify<R: Read>(&self, inner: R) -> VerifyingReader<'_, R> {
        VerifyingReader {
            list: self,
            inner,
            buffer: Vec::new(),
            position: 0,
            next: 0,
        }
    }
}

impl fmt::Display for StreamHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stream-hash sha256 {}", self.chunk)?;
        for digest in &self.digests {
            f.write_fmt(format_args!("{digest}"))?;
            f.write_char('\n')?;
        }
        Ok(())
    }
}

/// See [`StreamHash::verify`].
#[derive(Debug)]
pub struct VerifyingReader<'a, R> {
    list: &'a StreamHash,
    inner: R,
    buffer: Vec<u8>,
    position: usize,
    next: usize,
}

impl<R: Read> Read for VerifyingReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position == self.buffer.len() {
            self.buffer = read_chunk(&mut self.inner, self.list.chunk)?;
            self.position = 0;
            if self.buffer.is_empty() && self.next == self.list.chunks() {
                return Ok(0);
            }
            self.list
                .check(self.next, &self.buffer)
                .map_err(io::Error::other)?;
            self.next += 1;
        }
        let rest = self.buffer.get(self.position..).unwrap_or_default();
        let n = rest.len().min(out.len());
        out.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.position += n;
        Ok(n)
    }
}

fn read_chunk(reader: &mut impl Read, chunk: usize) -> io::Result<Vec<u8>> {
    let mut data = Vec::with_capacity(chunk.min(CHUNK));
    reader.by_ref().take(chunk as u64).read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(list: &StreamHash, data: &[u8]) -> (Vec<u8>, Option<StreamHashError>) {
        let mut out = Vec::new();
        let result = list.verify(data).read_to_end(&mut out);
        let error = result
            .err()
            .map(|e| *e.into_inner().unwrap().downcast().unwrap());
        (out, error)
    }

    #[test]
    fn text_form_round_trips() {
        let list = StreamHash::of_reader([1u8; 10].as_slice(), 4).unwrap();
        assert_eq!(list.chunks(), 3);
        assert_eq!(StreamHash::parse(&list.to_string()).unwrap(), list);
    }

    #[test]
    fn only_verified_chunks_come_out() {
        let data: Vec<u8> = (0..10).collect();
        let list = StreamHash::of_reader(data.as_slice(), 4).unwrap();
        assert_eq!(verify(&list, &data), (data.clone(), None));
        let mut flipped = data.clone();
        flipped[5] ^= 1;
        assert_eq!(
            verify(&list, &flipped),
            (
                data[..4].to_vec(),
                Some(StreamHashError::Mismatch { offset: 4 })
            )
        );
        assert_eq!(
            verify(&list, &data[..8]),
            (
                data[..8].to_vec(),
                Some(StreamHashError::Truncated { offset: 8 })
            )
        );
        let mut longer = data.clone();
        longer.extend([0; 4]);
        assert_eq!(
            verify(&list, &longer).1,
            Some(StreamHashError::Mismatch { offset: 8 })
        );
        let whole = StreamHash::of_reader(&data[..8], 4).unwrap();
        assert_eq!(
            verify(&whole, &data).1,
            Some(StreamHashError::Surplus { offset: 8 })
        );
    }

    #[test]
    fn bad_lists_are_refused_by_line() {
        for (text, want) in [
            ("", StreamHashError::Header),
            ("stream-hash md5 4\n", StreamHashError::Header),
            ("stream-hash sha256 0\n", StreamHashError::Header),
            ("stream-hash sha256 999999999999\n", StreamHashError::Header),
            ("stream-hash sha256 4\n", StreamHashError::Empty),
            ("stream-hash sha256 4\nzz\n", StreamHashError::Line(2)),
        ] {
            assert_eq!(StreamHash::parse(text), Err(want), "{text:?}");
        }
    }
}
