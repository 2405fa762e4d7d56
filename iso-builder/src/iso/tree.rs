//! The files of a medium before they have a place on it: a tree of names and where the bytes come
//! from. Knows which names a medium can carry in all three of its directory hierarchies.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest name: what Joliet can say, less the `;1` that files get.
const MAX_NAME: usize = 62;
/// Levels of directories that ISO 9660 allows (ECMA-119 6.8.2.1), the root included.
const MAX_LEVELS: usize = 8;

/// Where the bytes of a file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// This many zero bytes.
    Zeros(u64),
    /// A file of this many bytes, read when the medium is written.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
}

impl Content {
    /// Size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(size) | Self::File { size, .. } => *size,
        }
    }
}

/// Why a file cannot be on the medium.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeError {
    /// A name that is empty, too long, or has characters that some reader cannot show.
    #[error(
        "`{path}` cannot be a path on an ISO: `{name}` is not 1 to {MAX_NAME} letters, digits, `.`, `-` or `_`"
    )]
    Name {
        /// The whole path.
        path: String,
        /// The part that is wrong.
        name: String,
    },
    /// Too many levels.
    #[error("`{0}` has more than {MAX_LEVELS} levels")]
    Depth(String),
    /// The path, or a directory on the way to it, is a file already.
    #[error("`{0}` is in the tree already")]
    Taken(String),
}

#[derive(Debug)]
pub(super) enum Node {
    Dir(Children),
    File(Content),
}

pub(super) type Children = BTreeMap<String, Node>;

/// Files and directories by name.
#[derive(Debug, Default)]
pub struct Tree {
    root: Children,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file at `path` (relative, `/` between names), with the directories on the way.
    pub fn insert(&mut self, path: &str, content: Content) -> Result<(), TreeError> {
        if path.split('/').count() >= MAX_LEVELS {
            return Err(TreeError::Depth(path.to_owned()));
        }
        if let Some(name) = path.split('/').find(|name| !is_portable(name)) {
            return Err(TreeError::Name {
                path: path.to_owned(),
                name: name.to_owned(),
            });
        }
        let taken = || TreeError::Taken(path.to_owned());
        let (dirs, file) = match path.rsplit_once('/') {
            Some((dirs, file)) => (Some(dirs), file),
            None => (None, path),
        };
        let mut children = &mut self.root;
        for name in dirs.into_iter().flat_map(|dirs| dirs.split('/')) {
            let node = children
                .entry(name.to_owned())
                .or_insert_with(|| Node::Dir(Children::new()));
            children = match node {
                Node::Dir(children) => children,
                Node::File(_) => return Err(taken()),
            };
        }
        if children.contains_key(file) {
            return Err(taken());
        }
        children.insert(file.to_owned(), Node::File(content));
        Ok(())
    }

    pub(super) fn root(&self) -> &Children {
        &self.root
    }
}

fn is_portable(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != "."
        && name != ".."
        && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(paths: &[&str]) -> Result<(), TreeError> {
        let mut tree = Tree::new();
        paths
            .iter()
            .try_for_each(|path| tree.insert(path, Content::Zeros(1)))
    }

    #[test]
    fn names_that_some_reader_cannot_show_are_refused() {
        for bad in ["", "a//b", "../a", "a/./b", "a b", "a;1", "ä", "a\0"] {
            assert!(
                matches!(insert(&[bad]), Err(TreeError::Name { .. })),
                "{bad:?}"
            );
        }
        let long = "x".repeat(MAX_NAME + 1);
        assert!(matches!(insert(&[&long]), Err(TreeError::Name { .. })));
        assert_eq!(insert(&["x".repeat(MAX_NAME).as_str()]), Ok(()));
    }

    #[test]
    fn eighth_level_is_a_file_and_ninth_is_refused() {
        assert_eq!(insert(&["1/2/3/4/5/6/7"]), Ok(()));
        assert_eq!(
            insert(&["1/2/3/4/5/6/7/8"]),
            Err(TreeError::Depth("1/2/3/4/5/6/7/8".into()))
        );
    }

    #[test]
    fn nothing_replaces_a_file_silently() {
        assert_eq!(insert(&["a/b", "a/b"]), Err(TreeError::Taken("a/b".into())));
        assert_eq!(insert(&["a", "a/b"]), Err(TreeError::Taken("a/b".into())));
        assert_eq!(insert(&["a/b", "a"]), Err(TreeError::Taken("a".into())));
    }
}
