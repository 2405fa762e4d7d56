//! Mounting a file system of a disk by its offset, the boot file system to edit it and others to look
//! into them: a loop device over the disk, mounted in a mount namespace of a thread of its own. Nobody
//! else sees the mount, and with the thread it is gone.

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
    #[error("the image has no ext4 or XFS file system with the label `{label}`")]
    None {
        /// The label.
        label: &'static str,
    },
    /// Several have it.
    #[error("the file systems of partitions {numbers:?} all have the label `{label}`")]
    Several {
        /// The label.
        label: &'static str,
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
    #[error("cannot {what} a file system of {}", device.display())]
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
    find_labelled(disk, table, boot::LABEL)
}

/// Finds the one partition of `table` whose file system has the label.
pub(crate) fn find_labelled(
    disk: &dyn Disk,
    table: &Table,
    wanted: &'static str,
) -> Result<BootPlace, BootError> {
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
            Some((kind, label)) if label == wanted => {
                found.push((number, BootPlace { offset, len, kind }));
            }
            _ => {}
        }
    }
    match found.as_slice() {
        [(_, place)] => Ok(*place),
        [] => Err(BootError::None { label: wanted }),
        several => Err(BootError::Several {
            label: wanted,
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
    with_mounted(device, place, sector, Purpose::Edit, edit)
}

/// The same, with nothing changed on the device, not even by the file system itself.
pub(crate) fn look_mounted(
    device: &Path,
    place: BootPlace,
    sector: u32,
    look: &mut (dyn FnMut(&Path) -> Edited + Send),
) -> Result<(), BootError> {
    with_mounted(device, place, sector, Purpose::Look, look)
}

/// What a file system is mounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Edit,
    Look,
}

fn with_mounted(
    device: &Path,
    place: BootPlace,
    sector: u32,
    purpose: Purpose,
    visit: &mut (dyn FnMut(&Path) -> Edited + Send),
) -> Result<(), BootError> {
    std::thread::scope(|scope| {
        scope
            .spawn(|| in_namespace(device, place, sector, purpose, visit))
            .join()
    })
    .unwrap_or(Err(BootError::Died))
}

fn in_namespace(
    device: &Path,
    place: BootPlace,
    sector: u32,
    purpose: Purpose,
    visit: &mut dyn FnMut(&Path) -> Edited,
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
    let attached = attach(device, place, sector, purpose);
    let (_loop_device, node) = attached.map_err(|source| BootError::Loop {
        device: device.to_owned(),
        source,
    })?;
    point
        .mount(&node, place.kind, purpose)
        .map_err(failed("mount"))?;
    let edited = visit(&point.path).map_err(BootError::Edit);
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

    fn mount(&mut self, node: &Path, kind: Kind, purpose: Purpose) -> io::Result<()> {
        let mut flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        flags.set(MsFlags::MS_RDONLY, purpose == Purpose::Look);
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
fn attach(
    device: &Path,
    place: BootPlace,
    sector: u32,
    purpose: Purpose,
) -> io::Result<(File, PathBuf)> {
    let control = File::open("/dev/loop-control")?;
    let write = purpose == Purpose::Edit;
    let backing = OpenOptions::new().read(true).write(write).open(device)?;
    let flags = match purpose {
        Purpose::Edit => sys::LO_FLAGS_AUTOCLEAR,
        Purpose::Look => sys::LO_FLAGS_AUTOCLEAR | sys::LO_FLAGS_READ_ONLY,
    };
    let mut tries = 0;
    loop {
        let node = PathBuf::from(format!("/dev/loop{}", sys::free_loop_number(&control)?));
        let file = OpenOptions::new().read(true).write(write).open(&node)?;
        let part = (place.offset, place.len);
        match sys::bind_loop(&file, &backing, part, sector, flags) {
            Ok(()) => return Ok((file, node)),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && tries < LOOP_TRIES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
