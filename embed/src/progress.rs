//! The JSON lines that `coreos-installer … --progress json` writes to stdout, one per event.
//!
//! Bytes are those of the image as it lies on the disk; `total` is absent when the source does
//! not tell its size.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "stage",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Progress {
    /// Writing is about to begin; until now the target was not touched.
    Started {
        /// Target device or file.
        target: String,
    },
    /// Bytes read from the source so far.
    Copying {
        /// Source bytes consumed.
        bytes: u64,
        /// Source size in bytes.
        total: Option<u64>,
    },
    /// The image was verified and the first MiB is being written.
    Sealing,
    /// Everything is on the disk and flushed.
    Done,
}

impl Progress {
    /// Whole per cent of a copy whose total is known.
    pub fn percent(&self) -> Option<u8> {
        match self {
            Self::Copying {
                bytes,
                total: Some(total),
            } if *total > 0 => u8::try_from((bytes.saturating_mul(100) / total).min(100)).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_whole_and_bounded() {
        let at = |bytes, total| Progress::Copying { bytes, total }.percent();
        assert_eq!(at(1, Some(3)), Some(33));
        assert_eq!(at(9, Some(3)), Some(100));
        assert_eq!(at(3, Some(3)), Some(100));
        assert_eq!(at(3, None), None);
        assert_eq!(at(3, Some(0)), None);
    }
}
