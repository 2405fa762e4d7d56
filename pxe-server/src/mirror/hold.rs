//! Keeps builds from being removed while a server serves them: a shared lock (flock(2)) on the
//! build's manifest, which ends with the process that has it. Whoever removes takes an exclusive one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::MANIFEST;

/// A build that is not removed as long as this is there.
#[derive(Debug)]
pub struct Hold(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// A build that nobody holds, and nobody can hold as long as this is there.
#[derive(Debug)]
pub(super) struct Unheld(#[expect(dead_code, reason = "the lock ends with the file")] File);

impl Hold {
    /// Holds the build in `dir`; none if it is not there, or just being removed.
    pub fn take(dir: &Path) -> io::Result<Option<Self>> {
        let path = dir.join(MANIFEST);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        // It may have been removed between the two, and another be there by now.
        let same = std::fs::metadata(&path)
            .and_then(|there| Ok((there, file.metadata()?)))
            .is_ok_and(|(there, held)| (there.dev(), there.ino()) == (held.dev(), held.ino()));
        Ok(same.then_some(Self(file)))
    }
}

impl Unheld {
    /// None if somebody holds the build in `dir`.
    pub(super) fn check(dir: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(dir.join(MANIFEST))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(Some(Self(file))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_held_by_many_or_removed_by_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Hold::take(dir.path()).unwrap().is_none());
        std::fs::write(dir.path().join(MANIFEST), "{}").unwrap();
        let first = Hold::take(dir.path()).unwrap().unwrap();
        let second = Hold::take(dir.path()).unwrap().unwrap();
        assert!(Unheld::check(dir.path()).unwrap().is_none());
        drop(first);
        assert!(Unheld::check(dir.path()).unwrap().is_none());
        drop(second);
        let removing = Unheld::check(dir.path()).unwrap().unwrap();
        assert!(Hold::take(dir.path()).unwrap().is_none());
        drop(removing);
        assert!(Hold::take(dir.path()).unwrap().is_some());
    }
}
