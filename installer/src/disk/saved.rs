//! Which partitions of a disk are kept.

/// One rule of partitions to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveFilter {
    /// Partitions whose name matches.
    Label(String),
    /// Partitions by number, counted from 1.
    Index(std::ops::RangeInclusive<u32>),
}

/// Why a rule could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaveFilterError {
    /// No number or range.
    #[error("`{text}` is no partition number or range")]
    Index {
        /// What was given.
        text: String,
    },
}

impl SaveFilter {
    /// Reads a comma list of globs.
    pub fn labels(_list: &str) -> Result<Vec<Self>, SaveFilterError> {
        todo!()
    }

    /// Reads a comma list of numbers and ranges (`5`, `5-7`, `5-`, `-7`).
    pub fn indexes(_list: &str) -> Result<Vec<Self>, SaveFilterError> {
        todo!()
    }
}
