//! Configuring a system that was written earlier, on a disk or in an image file: the last step of an
//! install, without the others.
//!
//! All edits are made on a copy of the boot partition first. Whatever would go wrong goes wrong
//! there, and the system stays as it was.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use embed::gpt;
use embed::progress::Progress;

use crate::cancel::{Cancel, Cancelled};
use crate::decode::{self, Format};
use crate::disk::busy::Kernel;
use crate::disk::content::Glance;
use crate::disk::mount::{self, BootPlace};
use crate::disk::table::{self, Label};
use crate::disk::zero::{Run, runs};
use crate::disk::{BlockDevice, BootError, Disk, GptError, SectorSize, TargetError};
use crate::firstboot::{Existing, FirstBoot};
use crate::observe::Observer;

/// Bytes that are copied at a time.
const CHUNK: u64 = 1024 * 1024;

/// Why a system could not be configured. It is as it was, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrofitError {
    /// The disk cannot be used.
    #[error("the disk cannot be edited")]
    Target(#[source] TargetError),
    /// The file cannot be opened, read or flushed.
    #[error("cannot edit {}", path.display())]
    File {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image must be unpacked first.
    #[error("{} is {what}, not a raw image", path.display())]
    NotRaw {
        /// The image.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The boot partition cannot be copied to try the edits.
    #[error("cannot copy the boot partition of {} to try the edits on it", path.display())]
    Copy {
        /// The image or disk.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The edits cannot be made. Nothing was changed.
    #[error("{} was not changed", path.display())]
    Rehearsal {
        /// The image or disk.
        path: PathBuf,
        /// Why.
        #[source]
        source: BootError,
    },
    /// The edits went well on the copy and not on the system itself.
    #[error("{} failed while its boot partition was edited; some edits may be missing", path.display())]
    Failed {
        /// The image or disk.
        path: PathBuf,
        /// Why.
        #[source]
        source: BootError,
    },
    /// Asked to stop. Nothing was changed.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Makes the edits to the system on the disk or in the raw image file at `path`, which must never
/// have been booted.
pub fn retrofit(
    path: &Path,
    edits: &FirstBoot,
    existing: Existing,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(), RetrofitError> {
    let system = System::open(path)?;
    let disk = system.disk();
    let refused = |source| RetrofitError::Rehearsal {
        path: path.to_owned(),
        source,
    };
    let place = boot_place(disk, path)?.map_err(refused)?;
    let sector = disk.sector_size().bytes();
    let edit = &mut |boot: &Path| {
        edits
            .apply_later(boot, existing)
            .map_err(Box::<dyn Error + Send + Sync>::from)
    };
    let copy = copy_of(disk, place, cancel)?.map_err(|source| RetrofitError::Copy {
        path: path.to_owned(),
        source,
    })?;
    let start = BootPlace { offset: 0, ..place };
    mount::edit_mounted(copy.path(), start, sector, edit).map_err(refused)?;
    drop(copy);
    cancel.check()?;
    observer.event(Progress::Started {
        target: path.display().to_string(),
    });
    mount::edit_mounted(path, place, sector, edit).map_err(|source| RetrofitError::Failed {
        path: path.to_owned(),
        source,
    })?;
    system.flush().map_err(|source| RetrofitError::File {
        path: path.to_owned(),
        source,
    })?;
    observer.event(Progress::Done);
    Ok(())
}

/// What is edited, held so that nobody else does.
enum System {
    Device(BlockDevice),
    File(Glance),
}

impl System {
    fn open(path: &Path) -> Result<Self, RetrofitError> {
        let kind = std::fs::metadata(path).map(|meta| meta.file_type());
        if kind.is_ok_and(|kind| kind.is_block_device()) {
            let device = BlockDevice::open(path).map_err(RetrofitError::Target)?;
            return Ok(Self::Device(device));
        }
        let at = |source| RetrofitError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(at)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(at(io::ErrorKind::ResourceBusy.into())),
            locked => locked.map_err(|e| at(e.into()))?,
        }
        let uses = Kernel::default().uses_of_file(path).map_err(at)?;
        if !uses.is_empty() {
            let device = path.to_owned();
            return Err(RetrofitError::Target(TargetError::Busy { device, uses }));
        }
        let mut head = Vec::new();
        file.by_ref()
            .take(2 * 4096)
            .read_to_end(&mut head)
            .map_err(at)?;
        let start = head.get(..decode::MAGIC_LEN).unwrap_or(&head);
        let what = match decode::format_of(start) {
            Ok(Format::Raw) => None,
            Ok(format) => Some(format!("compressed with {format}")),
            Err(what) => Some(what.to_owned()),
        };
        if let Some(what) = what {
            let path = path.to_owned();
            return Err(RetrofitError::NotRaw { path, what });
        }
        Ok(Self::File(Glance {
            len: file.seek(SeekFrom::End(0)).map_err(at)?,
            file,
            sector: gpt::sector_size_of_image(&head).unwrap_or(SectorSize::B512),
        }))
    }

    fn disk(&self) -> &dyn Disk {
        match self {
            Self::Device(device) => device,
            Self::File(file) => file,
        }
    }

    fn flush(&self) -> io::Result<()> {
        match self {
            Self::Device(device) => device.flush(),
            Self::File(glance) => glance.file.sync_all(),
        }
    }
}

/// Finds the boot file system; the inner error is about what is on the disk.
fn boot_place(disk: &dyn Disk, path: &Path) -> Result<Result<BootPlace, BootError>, RetrofitError> {
    let label = table::read(disk).map_err(|source| RetrofitError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(match label {
        Label::Gpt(table) => mount::find(disk, &table),
        Label::Damaged(error) => Err(BootError::NoTable(error)),
        Label::Mbr(_) | Label::None => Err(BootError::NoTable(GptError::NoSignature)),
    })
}

/// The partition as a file of its own, zeroes as holes.
fn copy_of(
    disk: &dyn Disk,
    place: BootPlace,
    cancel: &Cancel,
) -> Result<io::Result<tempfile::NamedTempFile>, Cancelled> {
    let mut done = 0;
    let mut chunk = vec![0u8; usize::try_from(CHUNK).unwrap_or_default()];
    let mut copy = match tempfile::NamedTempFile::new() {
        Ok(copy) => copy,
        Err(error) => return Ok(Err(error)),
    };
    while done < place.len {
        cancel.check()?;
        let len = usize::try_from(CHUNK.min(place.len - done)).unwrap_or_default();
        let part = chunk.get_mut(..len).unwrap_or_default();
        let copied = disk
            .read_at(place.offset + done, part)
            .and_then(|()| write_at(copy.as_file_mut(), done, part));
        if let Err(error) = copied {
            return Ok(Err(error));
        }
        done += len as u64;
    }
    Ok(copy.as_file().set_len(place.len).map(|()| copy))
}

fn write_at(file: &mut File, offset: u64, data: &[u8]) -> io::Result<()> {
    for run in runs(data) {
        if let Run::Data(range) = run {
            let at = offset + range.start as u64;
            file.write_all_at(data.get(range).unwrap_or_default(), at)?;
        }
    }
    Ok(())
}
