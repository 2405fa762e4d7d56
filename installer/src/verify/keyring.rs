//! The set of keys whose signatures count: files in the distribution's and the administrator's
//! directories, and files named by the user. Nothing is taken from anybody's own GnuPG home.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::VerifyError;

/// Where distributions ship their keys.
pub const SYSTEM_DIR: &str = "/usr/lib/coreos/keys.d";
/// Where administrators put theirs.
pub const ADMIN_DIR: &str = "/etc/coreos/keys.d";

/// The largest key file that is read, bytes.
const MAX_KEY_FILE: u64 = 16 * 1024 * 1024;

/// Directories and files of OpenPGP public keys, binary or armored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    dirs: Vec<PathBuf>,
    named_dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Keyring {
    /// No keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The keys of [`SYSTEM_DIR`] and [`ADMIN_DIR`]; either may be missing.
    pub fn system() -> Self {
        Self::empty().with_dir(SYSTEM_DIR).with_dir(ADMIN_DIR)
    }

    /// Adds every regular file of a directory that may be missing.
    #[must_use]
    pub fn with_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.dirs.push(path.into());
        self
    }

    /// Adds every regular file of a directory that must be there (`--keyring-dir`).
    #[must_use]
    pub fn with_named_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.named_dirs.push(path.into());
        self
    }

    /// Adds a file that must be there (`--keyring`).
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// The key files in the order in which they are read, with their bytes.
    pub(super) fn read(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, VerifyError> {
        let mut paths = Vec::new();
        for dir in &self.dirs {
            match list(dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                found => paths.extend(found.map_err(|e| unreadable(dir, e))?),
            }
        }
        for dir in &self.named_dirs {
            paths.extend(list(dir).map_err(|e| unreadable(dir, e))?);
        }
        paths.extend(self.files.iter().cloned());
        paths
            .into_iter()
            .map(|path| read_key_file(&path).map(|bytes| (path, bytes)))
            .collect()
    }
}

fn unreadable(path: &Path, source: io::Error) -> VerifyError {
    VerifyError::KeyFile {
        path: path.to_owned(),
        source,
    }
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_key_file(path: &Path) -> Result<Vec<u8>, VerifyError> {
    let at = |source| unreadable(path, source);
    if fs::metadata(path).map_err(at)?.len() > MAX_KEY_FILE {
        return Err(at(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_sorted_before_files_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::create_dir(dir.path().join("sub")).unwrap();
        let extra = tempfile::NamedTempFile::new().unwrap();
        let keyring = Keyring::empty()
            .with_dir(dir.path().join("missing"))
            .with_file(extra.path())
            .with_dir(dir.path());
        let paths: Vec<_> = keyring
            .read()
            .unwrap()
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(
            paths,
            [
                dir.path().join("a"),
                dir.path().join("b"),
                extra.path().to_owned()
            ]
        );
    }

    #[test]
    fn a_named_file_or_directory_must_exist() {
        let missing = "/nonexistent.gpg";
        for keyring in [
            Keyring::empty().with_file(missing),
            Keyring::empty().with_named_dir(missing),
        ] {
            let error = keyring.read().unwrap_err();
            assert!(
                matches!(&error, VerifyError::KeyFile { path, .. } if path == Path::new(missing)),
                "{error:?}"
            );
        }
    }
}
