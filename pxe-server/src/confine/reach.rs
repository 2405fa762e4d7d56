//! The files and directories that the server may use after its start. Links that are there at the
//! start are followed once: what they led to then stays within reach, and nothing else.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::ConfineError;

/// Directories with all that is below them, and single files; none of them a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// To read.
    pub(super) read: Vec<PathBuf>,
    /// To read and write.
    pub(super) write: Vec<PathBuf>,
}

impl Reach {
    /// Adds a file or directory to read.
    pub fn read(&mut self, path: &Path) -> Result<(), ConfineError> {
        add(&mut self.read, path)
    }

    /// Adds the directories that a file is in, by its name and by where that leads, so that a new
    /// one can take its place.
    pub fn read_beside(&mut self, file: &Path) -> Result<(), ConfineError> {
        let target = canonical(file)?;
        for file in [file, &target] {
            match file.parent() {
                Some(parent) if parent != Path::new("") => self.read(parent)?,
                _ => self.read(Path::new("."))?,
            }
        }
        Ok(())
    }

    /// Adds a directory to write to.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), ConfineError> {
        add(&mut self.write, path)
    }

    /// Whether the file at `path` can be read, as far as this goes. One that is not there can.
    pub fn covers(&self, path: &Path) -> bool {
        let mut all = self.read.iter().chain(&self.write);
        fs::canonicalize(path).map_or(true, |path| all.any(|known| path.starts_with(known)))
    }

    /// Checks that who runs this, `user` by name, may use all of it.
    pub(super) fn check_access(&self, user: &str) -> Result<(), ConfineError> {
        let check = |path: &Path, what, flags| {
            let allowed = access(path, flags);
            allowed.map_err(|errno| ConfineError::Closed {
                user: user.to_owned(),
                what,
                path: path.to_owned(),
                source: errno.into(),
            })
        };
        for path in &self.read {
            let enter = if path.is_file() {
                AccessFlags::empty()
            } else {
                AccessFlags::X_OK
            };
            check(path, "read", AccessFlags::R_OK | enter)?;
        }
        for path in &self.write {
            check(
                path,
                "write",
                AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK,
            )?;
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                check(
                    &entry.path(),
                    "write",
                    AccessFlags::R_OK | AccessFlags::W_OK,
                )?;
            }
        }
        Ok(())
    }
}

fn canonical(path: &Path) -> Result<PathBuf, ConfineError> {
    fs::canonicalize(path).map_err(|source| ConfineError::Missing {
        path: path.to_owned(),
        source,
    })
}

fn add(all: &mut Vec<PathBuf>, path: &Path) -> Result<(), ConfineError> {
    let path = canonical(path)?;
    if !all.iter().any(|known| path.starts_with(known)) {
        all.push(path);
    }
    Ok(())
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |paths: &[PathBuf]| {
            let names = paths.iter().map(|path| path.display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        write!(
            f,
            "reads {}, writes {}",
            list(&self.read),
            list(&self.write)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_to_what_they_named_at_the_start_only() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["site", "far", "media/1", "media/2"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("far/rootfs"), "x").unwrap();
        fs::write(at("far/other"), "x").unwrap();
        fs::write(at("site/a"), "x").unwrap();
        symlink(at("media/1"), at("media/current")).unwrap();
        symlink(at("far/rootfs"), at("media/1/rootfs")).unwrap();
        let mut reach = Reach::default();
        reach.read(&at("site")).unwrap();
        reach.read(&at("media/current")).unwrap();
        reach.read(&at("media/current/rootfs")).unwrap();
        for name in [
            "site",
            "site/a",
            "site/none",
            "media/1",
            "media/current/rootfs",
            "far/rootfs",
        ] {
            assert!(reach.covers(&at(name)), "{name}");
        }
        for name in ["far", "far/other", "media/2", "media"] {
            assert!(!reach.covers(&at(name)), "{name}");
        }
        fs::remove_file(at("media/current")).unwrap();
        symlink(at("media/2"), at("media/current")).unwrap();
        assert!(!reach.covers(&at("media/current")));
        let missing = reach.read(&at("nowhere")).unwrap_err();
        assert!(
            matches!(missing, ConfineError::Missing { .. }),
            "{missing:?}"
        );
    }

    #[test]
    fn a_file_that_is_replaced_is_read_from_both_its_directories() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("live")).unwrap();
        fs::create_dir_all(at("archive")).unwrap();
        fs::write(at("archive/cert1.pem"), "x").unwrap();
        symlink("../archive/cert1.pem", at("live/cert.pem")).unwrap();
        let mut reach = Reach::default();
        reach.read_beside(&at("live/cert.pem")).unwrap();
        fs::write(at("archive/cert2.pem"), "x").unwrap();
        assert!(reach.covers(&at("archive/cert2.pem")) && reach.covers(&at("live/cert.pem")));
        assert!(!reach.covers(dir.path()));
    }
}
