//! The JSON lines that `coreos-installer … --progress json` writes to stdout, one per event.
//!
//! Bytes are those of the image as it lies on the disk; `total` is absent when the source does
//! not tell its size.

use serde::{Deserialize, Serialize};

/// Version of the lines. It grows when a field or stage changes its meaning or goes away; new
/// fields and stages come without that, so readers skip what they do not know.
pub const VERSION: u32 = 1;

/// One line as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// What happened.
    #[serde(flatten)]
    pub progress: Progress,
}

impl Line {
    /// A line of this version.
    pub fn new(progress: Progress) -> Self {
        Self {
            version: VERSION,
            progress,
        }
    }
}

/// What happened.
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
    fn the_documented_lines_are_those_that_are_written() {
        let page = include_str!("../../docs/src/progress.md");
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with('{')).collect();
        let mut stages = Vec::new();
        for text in &lines {
            let line: Line = serde_json::from_str(text).unwrap();
            assert_eq!(line.version, VERSION);
            assert_eq!(serde_json::to_string(&line).unwrap(), *text);
            // Readers that know nothing of versions take the same line.
            let progress: Progress = serde_json::from_str(text).unwrap();
            assert_eq!(progress, line.progress);
            stages.push(std::mem::discriminant(&progress));
        }
        stages.dedup();
        assert_eq!(stages.len(), 4);
    }

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
