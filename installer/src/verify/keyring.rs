//! The set of keys whose signatures count: those that are part of the program, files in the
//! distribution's and the administrator's directories, and files named by the user. Nothing is
//! taken from anybody's own GnuPG home.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::VerifyError;

/// Where distributions ship their keys.
pub const SYSTEM_DIR: &str = "/usr/lib/coreos/keys.d";
/// Where administrators put theirs.
pub const ADMIN_DIR: &str = "/etc/coreos/keys.d";

/// The largest key file that is read, bytes.
const MAX_KEY_FILE: u64 = 16 * 1024 * 1024;

/// Keys of distributions, by the name of the file that would stand in for each; `keys/README.md`
/// says where they come from.
const BUILT_IN: [(&str, &[u8]); 6] = [
    ("fedora-42.asc", include_bytes!("../../keys/fedora-42.asc")),
    ("fedora-43.asc", include_bytes!("../../keys/fedora-43.asc")),
    ("fedora-44.asc", include_bytes!("../../keys/fedora-44.asc")),
    ("fedora-45.asc", include_bytes!("../../keys/fedora-45.asc")),
    ("fedora-46.asc", include_bytes!("../../keys/fedora-46.asc")),
    (
        "redhat-release-2.asc",
        include_bytes!("../../keys/redhat-release-2.asc"),
    ),
];

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrigin {
    /// It is part of the program, under this name.
    BuiltIn(&'static str),
    /// A file.
    File(PathBuf),
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => write!(f, "built in ({name})"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// OpenPGP public keys, binary or armored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    built_in: bool,
    dirs: Vec<PathBuf>,
    named_dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Keyring {
    /// No keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The built-in keys and those of [`SYSTEM_DIR`] and [`ADMIN_DIR`]; either may be missing.
    pub fn system() -> Self {
        Self::built_in().with_dir(SYSTEM_DIR).with_dir(ADMIN_DIR)
    }

    /// The keys that are part of the program.
    pub fn built_in() -> Self {
        Self {
            built_in: true,
            ..Self::empty()
        }
    }

    /// Adds every regular file of a directory that may be missing. A file with the name of a
    /// built-in key stands in for it; an empty one takes it away.
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

    /// The keys in the order in which they are read: where from, and their bytes.
    pub(super) fn read(&self) -> Result<Vec<(KeyOrigin, Vec<u8>)>, VerifyError> {
        let mut paths = Vec::new();
        for dir in &self.dirs {
            match list(dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                found => paths.extend(found.map_err(|e| unreadable(dir, e))?),
            }
        }
        let stands_in = |path: &Path, name: &str| path.file_name() == Some(OsStr::new(name));
        let mut built_in = BUILT_IN.to_vec();
        built_in.retain(|(name, _)| self.built_in && !paths.iter().any(|p| stands_in(p, name)));
        for dir in &self.named_dirs {
            paths.extend(list(dir).map_err(|e| unreadable(dir, e))?);
        }
        paths.extend(self.files.iter().cloned());

        let mut keys: Vec<_> = built_in
            .into_iter()
            .map(|(name, bytes)| (KeyOrigin::BuiltIn(name), bytes.to_vec()))
            .collect();
        for path in paths {
            let bytes = read_key_file(&path)?;
            let taken_away = bytes.is_empty() && BUILT_IN.iter().any(|(n, _)| stands_in(&path, n));
            if !taken_away {
                keys.push((KeyOrigin::File(path), bytes));
            }
        }
        Ok(keys)
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
        assert_eq!(
            origins(&keyring),
            [
                KeyOrigin::File(dir.path().join("a")),
                KeyOrigin::File(dir.path().join("b")),
                KeyOrigin::File(extra.path().to_owned())
            ]
        );
    }

    fn origins(keyring: &Keyring) -> Vec<KeyOrigin> {
        let keys = keyring.read().unwrap();
        keys.into_iter().map(|(origin, _)| origin).collect()
    }

    #[test]
    fn a_file_stands_in_for_the_built_in_key_of_its_name_and_an_empty_one_takes_it_away() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fedora-42.asc"), "").unwrap();
        fs::write(dir.path().join("fedora-44.asc"), "another").unwrap();
        let found = origins(&Keyring::built_in().with_dir(dir.path()));
        let mut expected: Vec<_> = ["fedora-43.asc", "fedora-45.asc", "fedora-46.asc"]
            .map(KeyOrigin::BuiltIn)
            .to_vec();
        expected.push(KeyOrigin::BuiltIn("redhat-release-2.asc"));
        expected.push(KeyOrigin::File(dir.path().join("fedora-44.asc")));
        assert_eq!(found, expected);
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
