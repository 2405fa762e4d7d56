//! A boot partition's directory tree, edited without ever leaving it.
//!
//! The tree comes out of an image, so its names and links are not trusted: every path is resolved
//! by `openat2(2)` with `RESOLVE_BENEATH` (links inside the tree are fine: `loader` is one on
//! OSTree systems). Edits are atomic: a new file, flushed, renamed over the old one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use xattr::FileExt as _;

use super::FirstBootError;

/// Largest text file that is read from a boot partition, bytes.
const MAX_TEXT: u64 = 4 * 1024 * 1024;

/// Name of the file that becomes the new one; leftovers of a killed edit are replaced.
const TEMP: &str = ".coreos-installer.tmp";

/// An open boot partition directory.
#[derive(Debug)]
pub(super) struct BootRoot {
    fd: OwnedFd,
    path: PathBuf,
}

impl BootRoot {
    /// Opens the directory at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, FirstBootError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd =
            nix::fcntl::open(path, flags, Mode::empty()).map_err(|errno| FirstBootError::Io {
                path: path.to_owned(),
                source: errno.into(),
            })?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Text of the file at `rel`, `None` when there is none.
    pub(super) fn read_text(&self, rel: &str) -> Result<Option<String>, FirstBootError> {
        let file = match self.open_file(rel) {
            Ok(file) => file,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(self.error(rel, errno)),
        };
        let mut text = String::new();
        file.take(MAX_TEXT + 1)
            .read_to_string(&mut text)
            .map_err(|e| self.error(rel, e))?;
        if text.len() as u64 > MAX_TEXT {
            return Err(self.error(rel, io::Error::other("larger than 4 MiB")));
        }
        Ok(Some(text))
    }

    /// Text of the file at `rel`, which the image must have.
    pub(super) fn require_text(&self, rel: &str) -> Result<String, FirstBootError> {
        self.read_text(rel)?
            .ok_or_else(|| FirstBootError::NotThere {
                path: self.path.join(rel),
            })
    }

    /// Names in the directory at `rel`, sorted; empty when there is no such directory.
    pub(super) fn names(&self, rel: &str) -> Result<Vec<String>, FirstBootError> {
        let fd = match self.open_beneath(rel, OFlag::O_DIRECTORY) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(self.error(rel, errno)),
        };
        let mut names = Vec::new();
        for entry in Dir::from_fd(fd).map_err(|e| self.error(rel, e))?.iter() {
            let entry = entry.map_err(|e| self.error(rel, e))?;
            names.extend(entry.file_name().to_str().ok().map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Replaces the regular file at `rel` by `contents`, keeping owner, mode and attributes.
    pub(super) fn replace(&self, rel: &str, contents: &[u8]) -> Result<(), FirstBootError> {
        self.replace_with(rel, |_, new| new.write_all(contents))
    }

    /// Length of the regular file at `rel`, and its last bytes, at most `limit`.
    pub(super) fn read_end(&self, rel: &str, limit: u64) -> Result<(u64, Vec<u8>), FirstBootError> {
        let mut file = self
            .open_file(rel)
            .map_err(|errno| self.error(rel, errno))?;
        let mut end = Vec::new();
        let mut read = |file: &mut File| {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
            file.take(limit).read_to_end(&mut end)?;
            Ok(length)
        };
        let length = read(&mut file).map_err(|e: io::Error| self.error(rel, e))?;
        Ok((length, end))
    }

    /// Replaces the regular file at `rel` by its first `keep` bytes followed by `tail`.
    pub(super) fn replace_end(
        &self,
        rel: &str,
        keep: u64,
        tail: &[u8],
    ) -> Result<(), FirstBootError> {
        self.replace_with(rel, |old, new| {
            if io::copy(&mut old.take(keep), new)? < keep {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            new.write_all(tail)
        })
    }

    /// Whether there is a regular file at `rel`.
    pub(super) fn is_file(&self, rel: &str) -> Result<bool, FirstBootError> {
        match self.open_file(rel) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.error(rel, errno)),
        }
    }

    fn replace_with(
        &self,
        rel: &str,
        write: impl FnOnce(&mut File, &mut File) -> io::Result<()>,
    ) -> Result<(), FirstBootError> {
        let (parent, name) = self.parent_of(rel)?;
        let mut old = self
            .open_file(rel)
            .map_err(|errno| self.error(rel, errno))?;
        let _ = unlinkat(&parent, TEMP, UnlinkatFlags::NoRemoveDir);
        let mut new = create_new(&parent, TEMP, 0o600).map_err(|e| self.error(rel, e))?;
        let done = write(&mut old, &mut new)
            .and_then(|()| copy_attributes(&old, &new))
            .and_then(|()| new.sync_all())
            .and_then(|()| Ok(renameat(&parent, TEMP, &parent, name)?));
        if done.is_err() {
            let _ = unlinkat(&parent, TEMP, UnlinkatFlags::NoRemoveDir);
        }
        done.and_then(|()| sync_dir(parent))
            .map_err(|e| self.error(rel, e))
    }

    /// Creates the file at `rel`; a file of that name is an error.
    pub(super) fn create(
        &self,
        rel: &str,
        contents: &[u8],
        mode: u32,
    ) -> Result<(), FirstBootError> {
        let (parent, name) = self.parent_of(rel)?;
        create_new(&parent, name, mode)
            .and_then(|mut file| {
                file.write_all(contents)?;
                file.sync_all()
            })
            .and_then(|()| sync_dir(parent))
            .map_err(|e| self.error(rel, e))
    }

    /// Creates the directory `name` in the root with `mode`, or gives the existing one that mode.
    pub(super) fn make_dir(&self, name: &str, mode: u32) -> Result<(), FirstBootError> {
        let bits = Mode::from_bits_truncate(mode);
        match mkdirat(&self.fd, name, bits) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.error(name, errno)),
        }
        self.open_beneath(name, OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW)
            .map_err(io::Error::from)
            .and_then(|fd| {
                let dir = File::from(fd);
                dir.set_permissions(PermissionsExt::from_mode(mode))?;
                dir.sync_all()
            })
            .map_err(|e| self.error(name, e))
    }

    /// Path of `rel` as messages show it.
    pub(super) fn show(&self, rel: &str) -> PathBuf {
        self.path.join(rel)
    }

    fn open_file(&self, rel: &str) -> Result<File, Errno> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::from(self.open_beneath(rel, flags)?);
        match file.metadata() {
            Ok(meta) if meta.is_file() => Ok(file),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open_beneath(&self, rel: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_XDEV;
        openat2(
            &self.fd,
            rel,
            OpenHow::new()
                .flags(flags | OFlag::O_CLOEXEC)
                .resolve(resolve),
        )
    }

    fn parent_of<'a>(&self, rel: &'a str) -> Result<(OwnedFd, &'a str), FirstBootError> {
        let (dir, name) = rel.rsplit_once('/').unwrap_or((".", rel));
        let fd = self
            .open_beneath(dir, OFlag::O_DIRECTORY)
            .map_err(|errno| self.error(rel, errno))?;
        Ok((fd, name))
    }

    fn error(&self, rel: &str, source: impl Into<io::Error>) -> FirstBootError {
        FirstBootError::Io {
            path: self.path.join(rel),
            source: source.into(),
        }
    }
}

fn create_new(parent: &OwnedFd, name: &str, mode: u32) -> io::Result<File> {
    // A name that is there, even as a dangling link, is never opened.
    if fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() {
        return Err(Errno::EEXIST.into());
    }
    let flags =
        OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = File::from(nix::fcntl::openat(
        parent,
        name,
        flags,
        Mode::from_bits_truncate(mode),
    )?);
    file.set_permissions(PermissionsExt::from_mode(mode))?;
    Ok(file)
}

fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    let meta = old.metadata()?;
    std::os::unix::fs::fchown(new, Some(meta.uid()), Some(meta.gid()))?;
    new.set_permissions(meta.permissions())?;
    // SELinux labels: without them the first boot runs on unlabelled files.
    for name in old.list_xattr().into_iter().flatten() {
        if let Some(value) = old.get_xattr(&name)? {
            new.set_xattr(&name, &value)?;
        }
    }
    Ok(())
}

fn sync_dir(dir: OwnedFd) -> io::Result<()> {
    File::from(dir).sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, BootRoot) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("boot")).unwrap();
        let root = BootRoot::open(&dir.path().join("boot")).unwrap();
        (dir, root)
    }

    #[test]
    fn links_inside_the_tree_are_followed_and_links_out_of_it_are_not() {
        let (dir, root) = tree();
        let boot = dir.path().join("boot");
        fs::write(dir.path().join("outside"), "secret").unwrap();
        fs::create_dir_all(boot.join("loader.1")).unwrap();
        fs::write(boot.join("loader.1/x"), "inside").unwrap();
        symlink("loader.1", boot.join("loader")).unwrap();
        symlink("..", boot.join("up")).unwrap();
        symlink(dir.path(), boot.join("absolute")).unwrap();
        symlink("../outside", boot.join("leaf")).unwrap();

        assert_eq!(root.require_text("loader/x").unwrap(), "inside");
        for rel in ["up/outside", "absolute/outside", "leaf", "../outside"] {
            let error = root.replace(rel, b"owned").unwrap_err();
            assert!(matches!(error, FirstBootError::Io { .. }), "{rel}: {error}");
            assert!(root.read_text(rel).is_err(), "{rel}");
        }
        assert_eq!(
            fs::read_to_string(dir.path().join("outside")).unwrap(),
            "secret"
        );
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_leaves_no_temp_file() {
        let (dir, root) = tree();
        let file = dir.path().join("boot/x");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        fs::write(dir.path().join("boot").join(TEMP), "left by a killed edit").unwrap();
        root.replace("x", b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(root.names(".").unwrap(), [".", "..", "x"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let (dir, root) = tree();
        fs::write(dir.path().join("boot/x"), "old").unwrap();
        let error = root.replace_end("x", 4, b"more than is there").unwrap_err();
        assert!(matches!(error, FirstBootError::Io { .. }));
        assert_eq!(root.require_text("x").unwrap(), "old");
        assert_eq!(root.names(".").unwrap(), [".", "..", "x"]);
    }

    #[test]
    fn create_refuses_an_existing_name_and_a_dangling_link() {
        let (dir, root) = tree();
        fs::write(dir.path().join("boot/x"), "old").unwrap();
        symlink("../made", dir.path().join("boot/l")).unwrap();
        for name in ["x", "l"] {
            assert!(
                matches!(root.create(name, b"n", 0o600), Err(FirstBootError::Io { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists)
            );
        }
        assert!(!dir.path().join("made").exists());
    }
}
