//! The mounts of a boot: devices, files through loop devices, memory, overlay, and a private
//! namespace for mounts that nobody else should see.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::superblock::Kind;
use crate::sys::LoopDevice;

/// A mount failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot mount {what} on {}", .target.display())]
pub struct MountError {
    /// What was to be mounted.
    pub what: String,
    /// Where.
    pub target: PathBuf,
    /// Reason.
    #[source]
    pub source: io::Error,
}

/// Whether a mount may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

impl Access {
    fn flags(self) -> MsFlags {
        match self {
            Self::ReadOnly => MsFlags::MS_RDONLY,
            Self::ReadWrite => MsFlags::empty(),
        }
    }
}

/// Mounts a block device; makes the mount point.
pub fn device(node: &Path, target: &Path, kind: Kind, access: Access) -> Result<(), MountError> {
    attach(
        node.as_os_str().to_string_lossy().as_ref(),
        target,
        kind.mount_name(),
        access.flags(),
        None,
    )
}

/// Mounts, read-only, `length` bytes (0: all) of the file or device `backing` from byte `offset`.
/// A journal is not replayed.
pub fn part_of(
    backing: &Path,
    offset: u64,
    length: u64,
    target: &Path,
    kind: Kind,
) -> Result<(), MountError> {
    let error = |source| MountError {
        what: format!("{} at byte {offset}", backing.display()),
        target: target.to_owned(),
        source,
    };
    let file = File::open(backing).map_err(error)?;
    let device = LoopDevice::attach(&file, offset, length).map_err(error)?;
    attach(
        &device.path().to_string_lossy(),
        target,
        kind.mount_name(),
        MsFlags::MS_RDONLY,
        kind.no_replay(),
    )
}

/// Mounts a file system in memory that can hold `size` bytes (`None`: half of the memory).
pub fn memory(target: &Path, size: Option<u64>) -> Result<(), MountError> {
    let size = size.map_or_else(|| "50%".to_owned(), |bytes| bytes.to_string());
    attach(
        "tmpfs",
        target,
        "tmpfs",
        MsFlags::empty(),
        Some(&format!("size={size},mode=0755")),
    )
}

/// Mounts `lower` with a writable layer; `upper` and `work` are on one file system.
pub fn overlay(lower: &Path, upper: &Path, work: &Path, target: &Path) -> Result<(), MountError> {
    let error = |source| MountError {
        what: "overlay".to_owned(),
        target: target.to_owned(),
        source,
    };
    fs::create_dir_all(upper).map_err(error)?;
    fs::create_dir_all(work).map_err(error)?;
    let data = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    attach("overlay", target, "overlay", MsFlags::empty(), Some(&data))
}

/// Changes an existing mount's access, for the file system as a whole.
pub fn remount(target: &Path, access: Access) -> Result<(), MountError> {
    let flags = MsFlags::MS_REMOUNT | access.flags();
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>).map_err(|errno| MountError {
        what: format!("again ({access:?})"),
        target: target.to_owned(),
        source: errno.into(),
    })
}

/// Moves this process into a mount namespace of its own; what it mounts from now on is seen by
/// nobody else and goes away with it.
pub fn private_namespace() -> Result<(), MountError> {
    let error = |errno: nix::errno::Errno| MountError {
        what: "a private namespace".to_owned(),
        target: PathBuf::from("/"),
        source: errno.into(),
    };
    unshare(CloneFlags::CLONE_NEWNS).map_err(error)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).map_err(error)
}

fn attach(
    source: &str,
    target: &Path,
    kind: &str,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<(), MountError> {
    let error = |error| MountError {
        what: format!("{source} ({kind})"),
        target: target.to_owned(),
        source: error,
    };
    fs::create_dir_all(target).map_err(error)?;
    mount(Some(source), target, Some(kind), flags, data).map_err(|errno| error(errno.into()))
}
