//! A walk through a directory beside a config, one entry at a time.
//!
//! Entries come in the order of their names, a directory before what is in it. Links are met and
//! not followed; nothing is opened but directories.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::FilesError;

/// Files, directories and links of one tree.
const TREE_LIMIT: usize = 200_000;

/// One entry of a tree.
#[derive(Debug)]
pub(in crate::butane) struct Entry {
    /// Where it is.
    pub(in crate::butane) real: PathBuf,
    /// Its path below the tree's root, without a leading slash; empty for the root.
    pub(in crate::butane) path: String,
    /// What it is.
    pub(in crate::butane) kind: EntryKind,
}

/// What an entry of a tree is.
#[derive(Debug)]
pub(in crate::butane) enum EntryKind {
    Directory,
    File { executable: bool },
    Link { target: String },
    Other,
}

/// A walk under way.
#[derive(Debug)]
pub(in crate::butane) struct Walk {
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
    /// From `root`, which the config calls `local`.
    pub(super) fn new(local: &str, root: PathBuf) -> Self {
        Self {
            local: local.to_owned(),
            stack: vec![(root, String::new())],
            met: 0,
        }
    }

    fn enter(&mut self, real: PathBuf, path: String) -> Result<Entry, FilesError> {
        let shown = || format!("{}/{path}", self.local);
        let not_utf8 = || FilesError::NotUtf8 { local: shown() };
        let error = |source| FilesError::io(&shown(), source);
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
