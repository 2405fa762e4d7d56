//! Compressed bytes on their way into a decoder: counted, and with a look ahead that block
//! borders do not limit.

use std::io::{self, BufRead, Read};

/// A buffered reader with a look ahead.
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

    /// The reader below, without what was looked at.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// Bytes consumed so far.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the reader below failed, so that an error seen above is its and not the data's.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Where the bytes that were consumed or looked at end.
    pub(super) fn reached(&self) -> u64 {
        let ahead = self.ahead.len() - self.used;
        self.consumed.saturating_add(ahead as u64)
    }

    /// Looks at the next `want` bytes, which stay to be read; [`Input::ahead`] gives them.
    pub(super) fn look(&mut self, want: usize) -> io::Result<()> {
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
        Ok(())
    }

    /// At most `want` of the bytes that were looked at; fewer only at the end.
    pub(super) fn ahead(&self, want: usize) -> &[u8] {
        let ahead = self.ahead.get(self.used..).unwrap_or_default();
        ahead.get(..want).unwrap_or(ahead)
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
