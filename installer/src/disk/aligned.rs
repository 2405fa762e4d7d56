//! Memory that direct I/O accepts: its start is aligned to a page.

use std::ops::{Deref, DerefMut};

/// Alignment of memory, offsets and lengths that every direct-I/O target accepts, bytes.
pub(crate) const ALIGN: usize = 4096;

/// A page-aligned buffer of fixed size.
pub(crate) struct AlignedBuf {
    // Never grown, so that `start` stays aligned.
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// A buffer of `len` zeroes.
    pub(crate) fn zeroed(len: usize) -> Self {
        let storage = vec![0u8; len.saturating_add(ALIGN)];
        let start = storage.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self {
            storage,
            start,
            len,
        }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.storage
            .get(self.start..)
            .and_then(|s| s.get(..self.len))
            .unwrap_or_default()
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.storage
            .get_mut(self.start..)
            .and_then(|s| s.get_mut(..self.len))
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuf({} bytes)", self.len)
    }
}

/// Whether `data` may go to or come from `offset` by direct I/O.
pub(crate) fn is_aligned(data: &[u8], offset: u64, sector: u64) -> bool {
    data.as_ptr().align_offset(ALIGN) == 0
        && offset.is_multiple_of(sector)
        && (data.len() as u64).is_multiple_of(sector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_its_length_and_alignment_and_a_shifted_slice_has_not() {
        let buf = AlignedBuf::zeroed(8192);
        assert_eq!(buf.len(), 8192);
        assert!(is_aligned(&buf, 512, 512));
        assert!(!is_aligned(&buf, 100, 512));
        assert!(!is_aligned(&buf[1..513], 512, 512));
        assert!(!is_aligned(&buf[..100], 512, 512));
    }
}
