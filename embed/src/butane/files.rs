//! Files beside a config: the one place of this crate that reads files, and only below one directory.
//!
//! Paths are cleaned and then resolved, so that neither `..` nor a symlink leads out of the
//! directory. A hard link or a mount within it is its owner's business. Sizes and counts are bounded.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::finding::quote;

/// Bytes of one file.
const FILE_LIMIT: u64 = 64 << 20;
/// Bytes of all files of one config.
const TOTAL_LIMIT: u64 = 512 << 20;
/// Files, directories and links of one tree.
const TREE_LIMIT: usize = 200_000;

/// The directory whose files a config may use.
#[derive(Clone, Debug)]
pub struct FilesDir {
    root: PathBuf,
}

/// Why a file beside a config was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is no directory to look in.
    #[error("{} is a local file, but there is no files directory", quote(local))]
    NoDir {
        /// As written in the config.
        local: String,
    },
    /// `..` or a symlink leads out of the directory.
    #[error("{} leads out of the files directory", quote(local))]
    Escape {
        /// As written in the config.
        local: String,
    },
    /// The system refused.
    #[error("cannot read {}", quote(local))]
    Io {
        /// As written in the config.
        local: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Neither a file nor a link to one.
    #[error("{} is not a regular file", quote(local))]
    NotRegular {
        /// As written in the config.
        local: String,
    },
    /// The root of a tree is something else.
    #[error("{} is not a directory", quote(local))]
    NotDirectory {
        /// As written in the config.
        local: String,
    },
    /// Larger than a config can sensibly carry.
    #[error("{} is larger than {limit} bytes", quote(local))]
    TooLarge {
        /// As written in the config.
        local: String,
        /// The most that is read.
        limit: u64,
    },
    /// All files of the config together are too large.
    #[error("local files of the config are larger than {limit} bytes together")]
    TooMuch {
        /// The most that is read.
        limit: u64,
    },
    /// A tree of too many entries.
    #[error(
        "{} holds more than {limit} files, directories and links",
        quote(local)
    )]
    TooMany {
        /// As written in the config.
        local: String,
        /// The most that is walked.
        limit: usize,
    },
    /// Text is wanted.
    #[error("{} is not UTF-8", quote(local))]
    NotUtf8 {
        /// As written in the config, or the name that is meant.
        local: String,
    },
}

impl FilesError {
    /// The finding's message: this error with its cause.
    pub(super) fn message(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// The finding's code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoDir { .. } => "no-files-dir",
            Self::Escape { .. } => "files-dir-escape",
            Self::Io { .. } => "local-unreadable",
            Self::NotRegular { .. } => "local-not-regular",
            Self::NotDirectory { .. } => "tree-not-directory",
            Self::TooLarge { .. } | Self::TooMuch { .. } => "local-too-large",
            Self::TooMany { .. } => "tree-too-large",
            Self::NotUtf8 { .. } => "local-not-utf8",
        }
    }
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
        let real = fs::canonicalize(&clean).map_err(|source| io_error(local, source))?;
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
        let error = |source| io_error(local, source);
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
        Ok(Walk {
            local: local.to_owned(),
            stack: vec![(root, String::new())],
            met: 0,
        })
    }
}

/// One entry of a tree.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is.
    pub(super) real: PathBuf,
    /// Its path below the tree's root, without a leading slash; empty for the root.
    pub(super) path: String,
    /// What it is.
    pub(super) kind: EntryKind,
}

/// What an entry of a tree is.
#[derive(Debug)]
pub(super) enum EntryKind {
    Directory,
    File { executable: bool },
    Link { target: String },
    Other,
}

/// A walk through a tree. Links are met, not followed.
#[derive(Debug)]
pub(super) struct Walk {
    local: String,
    stack: Vec<(PathBuf, String)>,
    met: usize,
}

impl Iterator for Walk {
    type Item = Result<Entry, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (real, path) = self.stack.pop()?;
        self.met += 1;
        if self.met > TREE_LIMIT {
            self.stack.clear();
            return Some(Err(FilesError::TooMany {
                local: self.local.clone(),
                limit: TREE_LIMIT,
            }));
        }
        Some(self.enter(real, path))
    }
}

impl Walk {
    fn enter(&mut self, real: PathBuf, path: String) -> Result<Entry, FilesError> {
        let shown = || format!("{}/{path}", self.local);
        let not_utf8 = || FilesError::NotUtf8 { local: shown() };
        let error = |source| io_error(&shown(), source);
        let meta = fs::symlink_metadata(&real).map_err(error)?;
        let kind = if meta.is_symlink() {
            let target = fs::read_link(&real).map_err(error)?;
            let target = target.into_os_string().into_string();
            let target = target.map_err(|_| not_utf8())?;
            EntryKind::Link { target }
        } else if meta.is_file() {
            let executable = meta.permissions().mode() & 0o111 != 0;
            EntryKind::File { executable }
        } else if meta.is_dir() {
            let names = names(&real).map_err(error)?;
            for name in names.into_iter().rev() {
                let name_text = name.to_str().ok_or_else(|| FilesError::NotUtf8 {
                    local: format!("{}/{}", shown(), name.display()),
                })?;
                let below = match path.as_str() {
                    "" => name_text.to_owned(),
                    _ => format!("{path}/{name_text}"),
                };
                self.stack.push((real.join(&name), below));
            }
            EntryKind::Directory
        } else {
            EntryKind::Other
        };
        Ok(Entry { real, path, kind })
    }
}

fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)?.take(TREE_LIMIT + 1) {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

fn io_error(local: &str, source: io::Error) -> FilesError {
    let local = local.to_owned();
    FilesError::Io { local, source }
}

#[cfg(test)]
mod tests;
