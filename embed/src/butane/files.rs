//! Files beside a config: the one place of this crate that reads files, and only below one directory.
//!
//! Paths are cleaned and then resolved, so that neither `..` nor a symlink leads out of the
//! directory. A hard link or a mount within it is its owner's business. Sizes and counts are bounded.

mod error;
mod walk;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

pub use error::FilesError;
pub(super) use walk::{Entry, EntryKind};

use walk::Walk;

/// Bytes of one file.
const FILE_LIMIT: u64 = 64 << 20;
/// Bytes of all files of one config.
const TOTAL_LIMIT: u64 = 512 << 20;

/// The directory whose files a config may use.
#[derive(Clone, Debug)]
pub struct FilesDir {
    root: PathBuf,
}

impl FilesDir {
    /// The directory at `path`, which must exist.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FilesError> {
        let path = path.as_ref();
        let local = path.display().to_string();
        let root = fs::canonicalize(path).map_err(|source| FilesError::Io {
            local: local.clone(),
            source,
        })?;
        if !root.is_dir() {
            return Err(FilesError::NotDirectory { local });
        }
        Ok(Self { root })
    }

    fn resolve(&self, local: &str) -> Result<PathBuf, FilesError> {
        let escape = || FilesError::Escape {
            local: local.to_owned(),
        };
        let mut clean = self.root.clone();
        let mut depth = 0_usize;
        for part in Path::new(local).components() {
            match part {
                Component::Normal(name) => {
                    clean.push(name);
                    depth += 1;
                }
                Component::ParentDir => {
                    depth = depth.checked_sub(1).ok_or_else(escape)?;
                    clean.pop();
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        let real = fs::canonicalize(&clean).map_err(|source| FilesError::io(local, source))?;
        if real.starts_with(&self.root) {
            Ok(real)
        } else {
            Err(escape())
        }
    }
}

/// What one conversion may still read.
#[derive(Debug)]
pub(super) struct Files<'a> {
    dir: Option<&'a FilesDir>,
    left: u64,
}

impl<'a> Files<'a> {
    pub(super) fn new(dir: Option<&'a FilesDir>) -> Self {
        let left = TOTAL_LIMIT;
        Self { dir, left }
    }

    fn dir(&self, local: &str) -> Result<&'a FilesDir, FilesError> {
        self.dir.ok_or_else(|| FilesError::NoDir {
            local: local.to_owned(),
        })
    }

    /// The bytes of the file at `local`.
    pub(super) fn read(&mut self, local: &str) -> Result<Vec<u8>, FilesError> {
        let path = self.dir(local)?.resolve(local)?;
        self.read_path(&path, local)
    }

    /// The text of the file at `local`.
    pub(super) fn read_text(&mut self, local: &str) -> Result<String, FilesError> {
        String::from_utf8(self.read(local)?).map_err(|_| FilesError::NotUtf8 {
            local: local.to_owned(),
        })
    }

    /// The bytes of a file that [`Files::walk`] met.
    pub(super) fn read_path(&mut self, path: &Path, local: &str) -> Result<Vec<u8>, FilesError> {
        let error = |source| FilesError::io(local, source);
        // Looked at before it is opened: opening a FIFO would wait for ever.
        if !fs::metadata(path).map_err(error)?.is_file() {
            return Err(FilesError::NotRegular {
                local: local.to_owned(),
            });
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(error)?;
        let read = file.take(FILE_LIMIT + 1).read_to_end(&mut bytes);
        let read = u64::try_from(read.map_err(error)?).unwrap_or(u64::MAX);
        if read > FILE_LIMIT {
            return Err(FilesError::TooLarge {
                local: local.to_owned(),
                limit: FILE_LIMIT,
            });
        }
        self.left = self
            .left
            .checked_sub(read)
            .ok_or(FilesError::TooMuch { limit: TOTAL_LIMIT })?;
        Ok(bytes)
    }

    /// The tree at `local`, root first, each directory's entries in the order of their names.
    pub(super) fn walk(&self, local: &str) -> Result<Walk, FilesError> {
        let root = self.dir(local)?.resolve(local)?;
        if !root.is_dir() {
            return Err(FilesError::NotDirectory {
                local: local.to_owned(),
            });
        }
        Ok(Walk::new(local, root))
    }
}

#[cfg(test)]
mod tests;
