//! The place of one stream for one architecture in the mirror: locked for one run at a time, and
//! rid of what an earlier run has left half done.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::error::failed;
use super::{Index, MANIFEST, MirrorError, PlainName};

/// How hidden directories begin that are being filled.
const INCOMING: &str = ".incoming-";
/// How hidden directories begin that are being removed.
const REMOVED: &str = ".removed-";
/// The lock's file.
const LOCK: &str = ".lock";

/// One stream for one architecture in the mirror, for one run at a time.
#[derive(Debug)]
pub struct Shelf {
    dir: PathBuf,
    stream: PlainName,
    architecture: PlainName,
    _lock: File,
}

impl Shelf {
    /// Where a stream is in the mirror in `mirror`.
    pub fn path(mirror: &Path, stream: &PlainName, architecture: &PlainName) -> PathBuf {
        mirror.join(stream.as_str()).join(architecture.as_str())
    }

    /// Opens, and makes, the place of a stream below `mirror`. What a killed run has left is
    /// removed, but for downloads that may go on.
    pub fn open(
        mirror: &Path,
        stream: PlainName,
        architecture: PlainName,
    ) -> Result<Self, MirrorError> {
        let dir = Self::path(mirror, &stream, &architecture);
        fs::create_dir_all(&dir).map_err(failed("make", &dir))?;
        let path = dir.join(LOCK);
        let lock = File::create(&path).map_err(failed("make", &path))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(MirrorError::Busy(dir)),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
            Ok(()) => {}
        }
        for name in entries(&dir)? {
            let is_left = name.starts_with('.') && name != LOCK && !name.starts_with(INCOMING);
            if is_left {
                remove(&dir.join(name))?;
            }
        }
        Ok(Self {
            dir,
            stream,
            architecture,
            _lock: lock,
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The stream.
    pub fn stream(&self) -> &PlainName {
        &self.stream
    }

    /// Its architecture.
    pub fn architecture(&self) -> &PlainName {
        &self.architecture
    }

    /// Where a build is.
    pub fn build(&self, release: &PlainName) -> PathBuf {
        self.dir.join(release.as_str())
    }

    /// Whether a build is there. Builds get their names when they are complete.
    pub fn has(&self, release: &PlainName) -> bool {
        self.build(release).join(MANIFEST).is_file()
    }

    /// The index; builds are left out that are not there any more.
    pub fn index(&self) -> Result<Option<Index>, MirrorError> {
        let read = Index::read(&self.dir).map_err(|source| MirrorError::Index {
            path: self.dir.clone(),
            source,
        });
        let mut index = read?.filter(|index| self.has(&index.current));
        if let Some(index) = &mut index {
            index.older.retain(|release| self.has(release));
        }
        Ok(index)
    }

    /// All builds by name.
    pub(super) fn builds(&self) -> Result<Vec<PlainName>, MirrorError> {
        let names = entries(&self.dir)?.into_iter();
        let names = names.filter_map(|name| name.parse().ok());
        let mut builds: Vec<PlainName> = names.filter(|name| self.has(name)).collect();
        builds.sort_unstable();
        Ok(builds)
    }

    /// The hidden directory in which `release` is gathered, with the complete files that an earlier
    /// run has left there; what belongs to other builds is removed.
    pub(super) fn incoming(&self, release: &PlainName) -> Result<PathBuf, MirrorError> {
        let own = format!("{INCOMING}{release}");
        for name in entries(&self.dir)? {
            if name.starts_with(INCOMING) && name != own {
                remove(&self.dir.join(name))?;
            }
        }
        let dir = self.dir.join(own);
        fs::create_dir_all(&dir).map_err(failed("make", &dir))?;
        for name in entries(&dir)? {
            if name.starts_with('.') {
                remove(&dir.join(name))?;
            }
        }
        Ok(dir)
    }

    /// The same, empty.
    pub(super) fn empty_incoming(&self, release: &PlainName) -> Result<PathBuf, MirrorError> {
        let dir = self.incoming(release)?;
        remove(&dir)?;
        self.incoming(release)
    }

    /// Hides a build, so that nobody sees it half removed; where it is then.
    pub(super) fn hide(&self, release: &PlainName) -> Result<PathBuf, MirrorError> {
        let (path, hidden) = (
            self.build(release),
            self.dir.join(format!("{REMOVED}{release}")),
        );
        fs::rename(&path, &hidden).map_err(failed("remove", &path))?;
        Ok(hidden)
    }
}

/// Removes a file, or a directory with all that is in it.
pub(super) fn remove(path: &Path) -> Result<(), MirrorError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(failed("remove", path))
}

/// Names of what is in a directory; those that are not UTF-8 are nobody's here.
pub(super) fn entries(dir: &Path) -> Result<Vec<String>, MirrorError> {
    let read = || {
        let mut all = Vec::new();
        for entry in fs::read_dir(dir)? {
            all.extend(entry?.file_name().into_string());
        }
        Ok(all)
    };
    read().map_err(failed("list", dir))
}
