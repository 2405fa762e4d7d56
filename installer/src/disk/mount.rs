//! Mounting the boot file system of a freshly written disk, by its offset: a loop device over the
//! disk, mounted in a mount namespace of a thread of its own. Nobody else sees the mount, and
//! with the thread it is gone.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use embed::contract::boot;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::label::{self, Kind};
use super::{Disk, sys};
use embed::gpt::Table;

/// How often another process may snatch the free loop device before we give up.
const LOOP_TRIES: u32 = 64;

/// Why the boot partition could not be edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The image has no GPT, so it has no boot partition that we could find.
    #[error("the image has no usable partition table to find its boot partition in")]
    NoTable(#[source] embed::gpt::GptError),
    /// A partition could not be read.
    #[error("cannot look for the boot file system in partition {number}")]
    Read {
        /// Its number.
        number: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// None of the image's file systems has the label.
    #[error(
        "the image has no ext4 or XFS file system with the label `{}`",
        boot::LABEL
    )]
    None,
    /// Several have it.
    #[error(
        "the file systems of partitions {numbers:?} all have the label `{}`",
        boot::LABEL
    )]
    Several {
        /// Their numbers.
        numbers: Vec<u32>,
    },
    /// No private mount namespace, usually for want of privileges.
    #[error("cannot make a private mount namespace")]
    Namespace(#[source] io::Error),
    /// No loop device.
    #[error("cannot set up a loop device on {}", device.display())]
    Loop {
        /// The disk.
        device: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file system does not mount or unmount.
    #[error("cannot {what} the boot file system of {}", device.display())]
    Mount {
        /// `mount` or `unmount`
        what: &'static str,
        /// The disk.
        device: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The editor failed.
    #[error("cannot edit the boot file system")]
    Edit(#[source] Box<dyn Error + Send + Sync>),
    /// The editor panicked.
    #[error("the editor of the boot file system died")]
    Died,
}

/// What an editor of the boot file system gives back.
pub(crate) type Edited = Result<(), Box<dyn Error + Send + Sync>>;

/// Where a boot file system lies on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BootPlace {
    /// Bytes.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) len: u64,
    pub(crate) kind: Kind,
}

/// Finds the one partition of `table` whose file system is labelled `boot`.
pub(crate) fn find(disk: &dyn Disk, table: &Table) -> Result<BootPlace, BootError> {
    let sector = u64::from(table.sector.bytes());
    let mut found = Vec::new();
    for (&number, entry) in &table.entries {
        let offset = entry.first.saturating_mul(sector);
        let len = (entry.last - entry.first)
            .saturating_add(1)
            .saturating_mul(sector);
        // Too small for a superblock: a BIOS boot or similar partition.
        if len < 64 * 1024 || offset.saturating_add(len) > disk.len() {
            continue;
        }
        let label =
            label::read(disk, offset).map_err(|source| BootError::Read { number, source })?;
        match label {
            Some((kind, label)) if label == boot::LABEL => {
                found.push((number, BootPlace { offset, len, kind }));
            }
            _ => {}
        }
    }
    match found.as_slice() {
        [(_, place)] => Ok(*place),
        [] => Err(BootError::None),
        several => Err(BootError::Several {
            numbers: several.iter().map(|(number, _)| *number).collect(),
        }),
    }
}

/// Mounts the file system at `place` of `device`, lets `edit` work on it, and unmounts it.
pub(crate) fn edit_mounted(
    device: &Path,
    place: BootPlace,
    sector: u32,
    edit: &mut (dyn FnMut(&Path) -> Edited + Send),
) -> Result<(), BootError> {
    std::thread::scope(|scope| {
        scope
            .spawn(|| edit_in_namespace(device, place, sector, edit))
            .join()
    })
    .unwrap_or(Err(BootError::Died))
}

fn edit_in_namespace(
    device: &Path,
    place: BootPlace,
    sector: u32,
    edit: &mut dyn FnMut(&Path) -> Edited,
) -> Result<(), BootError> {
    private_namespace().map_err(|e| BootError::Namespace(e.into()))?;
    let failed = |what| {
        move |source: io::Error| BootError::Mount {
            what,
            device: device.to_owned(),
            source,
        }
    };
    let mut point = MountPoint::new().map_err(failed("mount"))?;
    let (_loop_device, node) = attach(device, place, sector).map_err(|source| BootError::Loop {
        device: device.to_owned(),
        source,
    })?;
    point.mount(&node, place.kind).map_err(failed("mount"))?;
    let edited = edit(&point.path).map_err(BootError::Edit);
    // Unmounting writes everything back to the disk's cache; flushing that is the caller's.
    edited.and(point.unmount().map_err(failed("unmount")))
}

/// An empty directory to mount on. Dropping it, also while panicking, unmounts first, and never
/// removes anything but the empty directory.
struct MountPoint {
    path: PathBuf,
    mounted: bool,
}

impl MountPoint {
    fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("coreos-installer-boot-")
            .tempdir()?;
        Ok(Self {
            path: dir.keep(),
            mounted: false,
        })
    }

    fn mount(&mut self, node: &Path, kind: Kind) -> io::Result<()> {
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        let none: Option<&str> = None;
        mount(Some(node), &self.path, Some(kind.name()), flags, none)?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> io::Result<()> {
        umount2(&self.path, MntFlags::empty())?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        if self.mounted {
            let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// Gives the calling thread a mount namespace from which nothing gets out.
fn private_namespace() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
}

/// A loop device over a part of `device`; it is released when the file is closed and nothing on
/// it is mounted any more.
fn attach(device: &Path, place: BootPlace, sector: u32) -> io::Result<(File, PathBuf)> {
    let control = File::open("/dev/loop-control")?;
    let backing = OpenOptions::new().read(true).write(true).open(device)?;
    let mut tries = 0;
    loop {
        let node = PathBuf::from(format!("/dev/loop{}", sys::free_loop_number(&control)?));
        let file = OpenOptions::new().read(true).write(true).open(&node)?;
        match sys::bind_loop(&file, &backing, place.offset, place.len, sector) {
            Ok(()) => return Ok((file, node)),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && tries < LOOP_TRIES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
