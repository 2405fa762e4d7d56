//! Partitions that an install keeps: rules by label and number, what they select on a disk, and
//! the tables that hold them while the image is written and afterwards.

use std::io;
use std::ops::RangeInclusive;

use super::table::{self, Label};
use super::{Disk, HEAD};
use embed::gpt::{Entry, GptError, Table};

/// One rule of partitions to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveFilter {
    /// Partitions whose name matches; the empty pattern matches those without name.
    Label(glob::Pattern),
    /// Partitions by number, counted from 1.
    Index(RangeInclusive<u32>),
}

/// Why a rule could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveFilterError {
    /// Not a glob.
    #[error("`{text}` is not a valid pattern of partition labels")]
    Glob {
        /// What was given.
        text: String,
        /// Where it is wrong.
        #[source]
        source: glob::PatternError,
    },
    /// No number or range.
    #[error("`{text}` is not a partition number or a range like 5-7, 5- or -7")]
    Index {
        /// What was given.
        text: String,
    },
    /// Partitions are counted from 1.
    #[error("partition number 0 in `{text}`; partitions are counted from 1")]
    Zero {
        /// What was given.
        text: String,
    },
    /// A range whose end comes before its start.
    #[error("the range `{text}` ends before it starts")]
    Reversed {
        /// What was given.
        text: String,
    },
}

impl SaveFilter {
    /// Reads a comma list of globs (`--save-partlabel`).
    pub fn labels(list: &str) -> Result<Vec<Self>, SaveFilterError> {
        list.split(',')
            .map(|text| {
                glob::Pattern::new(text)
                    .map(Self::Label)
                    .map_err(|source| SaveFilterError::Glob {
                        text: text.to_owned(),
                        source,
                    })
            })
            .collect()
    }

    /// Reads a comma list of numbers and ranges: `5`, `5-7`, `5-`, `-7` (`--save-partindex`).
    pub fn indexes(list: &str) -> Result<Vec<Self>, SaveFilterError> {
        list.split(',')
            .map(|text| parse_range(text).map(Self::Index))
            .collect()
    }

    fn selects(&self, number: u32, entry: &Entry) -> bool {
        match self {
            Self::Label(pattern) => pattern.matches(&entry.name()),
            Self::Index(range) => range.contains(&number),
        }
    }
}

fn parse_range(text: &str) -> Result<RangeInclusive<u32>, SaveFilterError> {
    let wrong = || SaveFilterError::Index {
        text: text.to_owned(),
    };
    let number = |part: &str, open: u32| match part {
        "" => Ok(open),
        // `parse` takes a plus sign, too.
        part if part.bytes().all(|b| b.is_ascii_digit()) => part.parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    let range = match text.split_once('-') {
        None if text.is_empty() => return Err(wrong()),
        None => number(text, 0).map(|n| n..=n)?,
        Some(("", "")) => return Err(wrong()),
        Some((first, last)) => number(first, 1)?..=number(last, u32::MAX)?,
    };
    if *range.start() == 0 || *range.end() == 0 {
        return Err(SaveFilterError::Zero {
            text: text.to_owned(),
        });
    }
    if range.is_empty() {
        return Err(SaveFilterError::Reversed {
            text: text.to_owned(),
        });
    }
    Ok(range)
}

/// Why partitions cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// The disk's table could not be read.
    #[error("cannot read the partition table")]
    Read(#[source] io::Error),
    /// Numbers were asked for on a disk with an MBR, whose partitions would be lost.
    #[error("the disk has an MBR partition table; only partitions of a GPT can be kept")]
    Mbr,
    /// Nobody knows what is on the disk.
    #[error("both copies of the partition table are damaged")]
    Damaged(#[source] GptError),
    /// The partitions to keep cannot be put into a new table.
    #[error("the partitions to keep cannot be put into a new table")]
    Restore(#[source] GptError),
    /// A partition to keep begins where the image's table and boot code will be.
    #[error("partition {number} begins within the first {HEAD} bytes and cannot be kept")]
    InHead {
        /// Its number.
        number: u32,
    },
    /// The image would reach into a partition to keep.
    #[error("the image needs {need} bytes and a partition to keep begins at byte {start}")]
    Collision {
        /// Where the image ends, or where its data would go next.
        need: u64,
        /// Where the first partition to keep begins.
        start: u64,
    },
    /// The image has no GPT that the partitions could be added to.
    #[error("the image has no usable partition table to add the partitions to keep to")]
    NoImageTable(#[source] GptError),
}

/// The partitions of a disk that are kept; often none.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    table: Table,
    sectors: u64,
}

impl Saved {
    /// Selects from the table of `disk`, which is read only if there are filters, and makes sure
    /// that the selected can be written back.
    pub(crate) fn select(disk: &dyn Disk, filters: &[SaveFilter]) -> Result<Self, SavedError> {
        let sector = disk.sector_size();
        let mut table = Table {
            sector,
            disk_guid: *uuid::Uuid::new_v4().as_bytes(),
            last: 0,
            slots: 0,
            entries: Default::default(),
        };
        if !filters.is_empty() {
            match table::read(disk).map_err(SavedError::Read)? {
                Label::Gpt(found) => {
                    table.entries = found.entries;
                }
                Label::Mbr(_) if filters.iter().any(|f| matches!(f, SaveFilter::Index(_))) => {
                    return Err(SavedError::Mbr);
                }
                Label::Damaged(error) => return Err(SavedError::Damaged(error)),
                Label::Mbr(_) | Label::None => {}
            }
        }
        table
            .entries
            .retain(|number, entry| filters.iter().any(|f| f.selects(*number, entry)));
        let saved = Self {
            table,
            sectors: disk.len() / u64::from(sector.bytes()),
        };
        for (&number, entry) in &saved.table.entries {
            if entry.first.saturating_mul(sector.bytes().into()) < HEAD {
                return Err(SavedError::InHead { number });
            }
        }
        saved
            .table
            .check(saved.sectors)
            .map_err(SavedError::Restore)?;
        Ok(saved)
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.table.entries.len()
    }

    /// Where the first of them begins, bytes.
    pub(crate) fn start(&self) -> Option<u64> {
        let first = self.table.entries.values().map(|entry| entry.first).min()?;
        Some(first.saturating_mul(self.table.sector.bytes().into()))
    }

    /// A table with these partitions and nothing else, under a disk GUID of its own.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The image's table with these partitions added, for the whole disk.
    ///
    /// A partition keeps its number if that is above every number used before it; otherwise it
    /// gets the next one. Gaps are never filled, so that no partition takes another's number.
    pub(crate) fn merge(&self, image: &Table) -> Result<Table, SavedError> {
        let mut merged = image.clone();
        let mut highest = merged.entries.keys().next_back().copied().unwrap_or(0);
        for (&number, entry) in &self.table.entries {
            highest = if number > highest {
                number
            } else {
                highest.saturating_add(1)
            };
            merged.entries.insert(highest, entry.clone());
        }
        merged.check(self.sectors).map_err(SavedError::Restore)?;
        Ok(merged)
    }
}

#[cfg(test)]
mod tests;
