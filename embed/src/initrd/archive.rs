//! A small set of files in memory, read from and written as an initrd: what an embed area or a
//! per-machine archive holds.
//!
//! Written sorted, directories 0755 before their children, files 0600, owner 0, time 0; as
//! upstream's tools write it. xz carries CRC32, the only check that the kernel's decoder knows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::ControlFlow;

use liblzma::stream::{Check, Stream};
use liblzma::write::XzEncoder;

use super::{InitrdError, Limits, newc, walk};

/// Regular files by path (relative, without `./`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive(BTreeMap<String, Vec<u8>>);

impl Archive {
    /// Reads the regular files of any initrd; the last of equal paths wins.
    pub fn read(input: impl io::BufRead, limits: Limits) -> Result<Self, InitrdError> {
        Self::read_matching(input, limits, |_| true)
    }

    /// Like [`Archive::read`], keeping only the paths for which `keep` holds.
    pub fn read_matching(
        input: impl io::BufRead,
        limits: Limits,
        keep: impl Fn(&str) -> bool,
    ) -> Result<Self, InitrdError> {
        let mut archive = Self::default();
        walk(input, limits, |entry, data| {
            if entry.is_file() {
                let path = relative_path(&entry.name)?;
                if keep(path) {
                    let mut bytes = Vec::new();
                    data.read_to_end(&mut bytes).map_err(InitrdError::Io)?;
                    archive.0.insert(path.to_owned(), bytes);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(archive)
    }

    /// Content of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Adds or replaces a file. A path that leaves the root is refused.
    pub fn insert(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<(), InitrdError> {
        let path = relative_path(path)?.to_owned();
        self.0.insert(path, bytes.into());
        Ok(())
    }

    /// Removes a file and gives its content back.
    pub fn remove(&mut self, path: &str) -> Option<Vec<u8>> {
        self.0.remove(path)
    }

    /// Paths and contents, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The archive as uncompressed cpio.
    pub fn to_cpio(&self) -> io::Result<Vec<u8>> {
        let mut items: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
        for (path, bytes) in self.iter() {
            items.extend(parents(path).into_iter().map(|directory| (directory, None)));
            items.insert(path, Some(bytes));
        }
        let mut writer = newc::Writer::new(Vec::new());
        for (path, content) in items {
            match content {
                None => writer.directory(path, 0o755)?,
                Some(bytes) => writer.file(path, 0o600, bytes.len() as u64, bytes)?,
            }
        }
        writer.finish()
    }

    /// The archive as one xz stream that the kernel can unpack.
    pub fn to_xz_cpio(&self) -> io::Result<Vec<u8>> {
        let stream = Stream::new_easy_encoder(9, Check::Crc32).map_err(io::Error::other)?;
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(&self.to_cpio()?)?;
        encoder.finish()
    }
}

fn parents(path: &str) -> BTreeSet<&str> {
    path.match_indices('/')
        .filter_map(|(at, _)| path.get(..at))
        .collect()
}

/// The path of an entry below the archive's root, without a leading `./`. A name that leaves the
/// root is refused.
pub fn relative_path(name: &str) -> Result<&str, InitrdError> {
    let path = name.trim_start_matches("./");
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.split('/').any(bad) {
        return Err(InitrdError::Traversal(name.to_owned()));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
