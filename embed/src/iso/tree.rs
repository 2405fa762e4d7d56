//! Everything on an ISO 9660 image, as paths.
//!
//! Bounded in depth and number, so that a directory which contains itself ends the walk.

use std::io::{Read, Seek};

use super::reader::Record;
use super::{Extent, IsoError, IsoReader};

/// Deepest nesting that is followed; ECMA-119 allows 8 levels (6.8.2.1), and ISOs of Linux
/// distributions go beyond.
const MAX_DEPTH: usize = 32;
const MAX_ENTRIES: usize = 20_000;

/// A file or directory of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Path from the root, without a leading `/`, as the primary tree spells it.
    pub path: String,
    /// Where its bytes are.
    pub extent: Extent,
    /// Whether it is a directory.
    pub is_directory: bool,
}

impl<F: Read + Seek> IsoReader<F> {
    /// All files and directories, each directory before what is in it.
    pub fn tree(&mut self) -> Result<Vec<TreeEntry>, IsoError> {
        let mut entries = Vec::new();
        let root = self.root_records()?;
        self.descend("", root, 0, &mut entries)?;
        Ok(entries)
    }

    /// The files directly in the directory at `path`.
    pub fn files_in(&mut self, path: &str) -> Result<Vec<TreeEntry>, IsoError> {
        let directory = self
            .find_directory(path)?
            .ok_or_else(|| IsoError::NoFile(path.to_owned()))?;
        let records = self.records(directory)?;
        let files = records.into_iter().filter(|record| !record.is_directory);
        Ok(files.map(|record| entry("", record)).collect())
    }

    fn descend(
        &mut self,
        parent: &str,
        records: Vec<Record>,
        depth: usize,
        entries: &mut Vec<TreeEntry>,
    ) -> Result<(), IsoError> {
        if depth > MAX_DEPTH || entries.len() + records.len() > MAX_ENTRIES {
            return Err(IsoError::Format("too many files or directories"));
        }
        for record in records {
            let inside = match record.is_directory {
                true => Some(self.records(record.extent)?),
                false => None,
            };
            let entry = entry(parent, record);
            let path = entry.path.clone();
            entries.push(entry);
            if let Some(records) = inside {
                self.descend(&path, records, depth + 1, entries)?;
            }
        }
        Ok(())
    }
}

fn entry(parent: &str, record: Record) -> TreeEntry {
    let path = match parent {
        "" => record.name,
        _ => format!("{parent}/{}", record.name),
    };
    TreeEntry {
        path,
        extent: record.extent,
        is_directory: record.is_directory,
    }
}

#[cfg(test)]
mod tests;
