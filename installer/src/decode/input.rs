//! Compressed bytes on their way into a decoder: counted, and with a look ahead that block
//! borders do not limit.

use std::io::{self, BufRead, Read};

/// A buffered reader with [`Input::peek`].
pub(super) struct Input<R> {
    inner: R,
    /// Bytes looked at but not yet consumed.
    ahead: Vec<u8>,
    /// Consumed part of `ahead`.
    used: usize,
    consumed: u64,
    failed: bool,
}

impl<R: BufRead> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            ahead: Vec::new(),
            used: 0,
            consumed: 0,
            failed: false,
        }
    }

    /// Bytes consumed so far.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the reader below failed, so that an error seen above is its and not the data's.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// The next `want` bytes, fewer only at the end; they stay to be read.
    pub(super) fn peek(&mut self, want: usize) -> io::Result<&[u8]> {
        self.ahead.drain(..self.used);
        self.used = 0;
        while self.ahead.len() < want {
            let missing = want - self.ahead.len();
            let inner = fill(&mut self.inner, &mut self.failed)?;
            let part = inner.get(..missing.min(inner.len())).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            self.ahead.extend_from_slice(part);
            let taken = part.len();
            self.inner.consume(taken);
        }
        Ok(&self.ahead)
    }
}

fn fill<'a, R: BufRead>(inner: &'a mut R, failed: &mut bool) -> io::Result<&'a [u8]> {
    inner.fill_buf().inspect_err(|_| *failed = true)
}

impl<R: BufRead> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.ahead.get(self.used..) {
            Some(rest) if !rest.is_empty() => Ok(rest),
            _ => fill(&mut self.inner, &mut self.failed),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.consumed = self.consumed.saturating_add(amount as u64);
        let ahead = (self.ahead.len() - self.used).min(amount);
        self.used += ahead;
        if amount > ahead {
            self.inner.consume(amount - ahead);
        }
    }
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let n = data.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), data.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}
