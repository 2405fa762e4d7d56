//! How much memory an image path may use for its buffers and decoders, and how it is shared out.
//!
//! What the program needs beside them (code, TLS, gpg) is not counted; it is a few MiB.

use std::str::FromStr;

use super::chunked::least_memory;
use crate::decode::{DecodeError, Format};
use crate::size;

const MIB: u64 = 1024 * 1024;

/// Bounds of the default, which is half of what is available.
const DEFAULT: (u64, u64) = (128 * MIB, 1024 * MIB);

/// The most bytes that buffers and decoders of one image path take together (`--memory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryBudget(u64);

/// Why a size is no memory budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryBudgetError {
    /// Not a size.
    #[error("`{0}` is no size; write `512MiB`, `1GB` or `536870912`")]
    Size(String),
    /// Not enough for any image.
    #[error("{0} bytes are too few; buffers take at least 16MiB")]
    TooSmall(u64),
}

impl MemoryBudget {
    /// The smallest one.
    pub const LEAST: Self = Self(16 * MIB);

    /// Half of the memory that is available now, between 128 MiB and 1 GiB.
    pub fn of_this_machine() -> Self {
        let available = std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| available(&text));
        Self::of_available(available)
    }

    fn of_available(bytes: Option<u64>) -> Self {
        let (least, most) = DEFAULT;
        Self(bytes.map_or(most, |bytes| (bytes / 2).clamp(least, most)))
    }

    /// All of it, bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// How many buffers of `size` bytes a pool may hold that gets an eighth of the memory: at least
    /// `least`, at most `most`.
    pub(crate) fn eighth(self, size: usize, least: usize, most: usize) -> usize {
        usize::try_from(self.0 / 8 / (size as u64).max(1))
            .unwrap_or(most)
            .clamp(least, most)
    }

    /// Refuses a packed image whose chunks do not fit.
    pub(crate) fn holds_chunks(self, size: u32) -> Result<(), DecodeError> {
        let (need, limit) = (least_memory(size), self.0);
        let format = Format::Zstd;
        match need > limit {
            true => Err(DecodeError::Memory {
                format,
                need,
                limit,
            }),
            false => Ok(()),
        }
    }

    /// What is left of it, bytes, when `taken` is taken.
    pub(crate) fn without(self, taken: u64) -> u64 {
        self.0.saturating_sub(taken)
    }
}

impl FromStr for MemoryBudget {
    type Err = MemoryBudgetError;

    fn from_str(text: &str) -> Result<Self, MemoryBudgetError> {
        let bytes = size::parse(text).ok_or_else(|| MemoryBudgetError::Size(text.to_owned()))?;
        if bytes < Self::LEAST.0 {
            return Err(MemoryBudgetError::TooSmall(bytes));
        }
        Ok(Self(bytes))
    }
}

/// `MemAvailable` of `/proc/meminfo` (proc(5)), bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_size_that_is_not_too_small() {
        assert_eq!("512MiB".parse(), Ok(MemoryBudget(512 * MIB)));
        assert_eq!("16MiB".parse(), Ok(MemoryBudget::LEAST));
        for (text, error) in [
            ("much", MemoryBudgetError::Size("much".into())),
            ("16MB", MemoryBudgetError::TooSmall(16_000_000)),
        ] {
            assert_eq!(text.parse::<MemoryBudget>(), Err(error));
        }
    }

    #[test]
    fn the_default_is_half_of_what_is_available_within_bounds() {
        let meminfo = "MemTotal:  8000000 kB\nMemAvailable:    1048576 kB\nCached: 1 kB\n";
        let of = |text| MemoryBudget::of_available(available(text)).bytes() / MIB;
        assert_eq!(of(meminfo), 512);
        assert_eq!(of("MemAvailable:  1024 kB\n"), 128);
        assert_eq!(of("MemAvailable: 99999999 kB\n"), 1024);
        assert_eq!(of("MemAvailable: 1 MB\n"), 1024);
        assert!(MemoryBudget::of_this_machine().bytes() >= 128 * MIB);
    }

    #[test]
    fn pools_stay_between_their_bounds() {
        let small = MemoryBudget::LEAST;
        assert_eq!(small.eighth(1 << 20, 2, 8), 2);
        assert_eq!(small.eighth(1 << 22, 2, 8), 2);
        assert_eq!(MemoryBudget(512 * MIB).eighth(1 << 20, 2, 8), 8);
        assert_eq!(small.without(20 * MIB), 0);
    }

    #[test]
    fn chunks_that_do_not_fit_twice_are_refused_with_what_they_take() {
        assert!(MemoryBudget::LEAST.holds_chunks(2 << 20).is_ok());
        match MemoryBudget::LEAST.holds_chunks(4 << 20) {
            Err(DecodeError::Memory { need, limit, .. }) => {
                // Frames may be a little longer than what is in them.
                assert_eq!((need, limit), (16 * MIB + (64 << 10) + 2048, 16 * MIB));
            }
            other => panic!("{other:?}"),
        }
    }
}
