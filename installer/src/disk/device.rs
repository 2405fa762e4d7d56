//! Block devices as [`Disk`]s: opened only if nobody uses them, written past the page cache where
//! the device allows it.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc::{O_DIRECT, O_EXCL};
use nix::sys::stat::{major, minor};

use super::aligned::{AlignedBuf, is_aligned};
use super::busy::{Kernel, Use};
use super::{Disk, HEAD, SectorSize, sys};

/// Size of the detour for data that direct I/O does not take as it lies in memory, bytes.
const BOUNCE: usize = 256 * 1024;

/// The smallest disk that has room for a table at both ends, bytes.
const MIN_LEN: u64 = 2 * HEAD;

/// How often, and how long between, a device is asked for again when the kernel refuses it without
/// telling a user.
const CLAIM_TRIES: u32 = 30;
const CLAIM_PAUSE: Duration = Duration::from_millis(100);

/// Why a device cannot be the target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It could not be opened or asked.
    #[error("cannot open {}", device.display())]
    Open {
        /// The device.
        device: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file, a directory or something else.
    #[error("{} is not a block device", device.display())]
    NotABlockDevice {
        /// What was given.
        device: PathBuf,
    },
    /// Part of a disk.
    #[error("{} is a partition, not a whole disk", device.display())]
    Partition {
        /// What was given.
        device: PathBuf,
    },
    /// Something uses the disk.
    #[error("{} is in use", device.display())]
    Busy {
        /// The disk.
        device: PathBuf,
        /// By what; empty if the kernel refuses without telling why.
        uses: Vec<Use>,
    },
    /// A sector size that no image is made for.
    #[error("{} has sectors of {bytes} bytes; 512 and 4096 are supported", device.display())]
    SectorSize {
        /// The disk.
        device: PathBuf,
        /// Its sector size.
        bytes: u32,
    },
    /// Not even a table fits.
    #[error("{} has only {len} bytes", device.display())]
    TooSmall {
        /// The disk.
        device: PathBuf,
        /// Its size.
        len: u64,
    },
}

/// Logical sector size of a block device.
pub fn sector_size_of(path: &Path) -> Result<SectorSize, TargetError> {
    let (file, _) = open(path, OpenOptions::new().read(true))?;
    sector_size(path, &file)
}

/// Opens a block device; the file and `MAJOR:MINOR`.
fn open(path: &Path, options: &OpenOptions) -> Result<(File, String), TargetError> {
    let at = |source| TargetError::Open {
        device: path.to_owned(),
        source,
    };
    let meta = std::fs::metadata(path).map_err(at)?;
    if !meta.file_type().is_block_device() {
        return Err(TargetError::NotABlockDevice {
            device: path.to_owned(),
        });
    }
    let file = options.open(path).map_err(at)?;
    let rdev = file.metadata().map_err(at)?.rdev();
    Ok((file, format!("{}:{}", major(rdev), minor(rdev))))
}

fn sector_size(path: &Path, file: &File) -> Result<SectorSize, TargetError> {
    let bytes = sys::logical_sector_size(file).map_err(|source| TargetError::Open {
        device: path.to_owned(),
        source,
    })?;
    SectorSize::from_bytes(bytes).ok_or_else(|| TargetError::SectorSize {
        device: path.to_owned(),
        bytes,
    })
}

/// A whole disk, held exclusively.
#[derive(Debug)]
pub struct BlockDevice {
    path: PathBuf,
    file: File,
    len: u64,
    sector: SectorSize,
}

impl BlockDevice {
    /// Opens `path` for writing, unless it or a partition on it is in use.
    pub fn open(path: &Path) -> Result<Self, TargetError> {
        let device = || path.to_owned();
        let at = |source| TargetError::Open {
            device: path.to_owned(),
            source,
        };
        let mut file = claim(path)?;
        let sector = sector_size(path, &file)?;
        let len = file.seek(SeekFrom::End(0)).map_err(at)?;
        if len < MIN_LEN {
            return Err(TargetError::TooSmall {
                device: device(),
                len,
            });
        }
        Ok(Self {
            path: device(),
            file,
            len,
            sector,
        })
    }

    /// The device node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the kernel to take over the partition table. Kernels without a parser for it, and
    /// loop devices that are not scanned, say no.
    pub fn reread_table(&self) -> io::Result<()> {
        sys::reread_partitions(&self.file)
    }

    /// Walks `len` bytes from `offset` in pieces that fit an aligned buffer.
    fn bounce(
        &self,
        offset: u64,
        len: usize,
        mut step: impl FnMut(&mut [u8], u64, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let sector = u64::from(self.sector.bytes());
        if !offset.is_multiple_of(sector) || !(len as u64).is_multiple_of(sector) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut buf = AlignedBuf::zeroed(BOUNCE.min(len));
        let mut done = 0;
        while done < len {
            let part = BOUNCE.min(len - done);
            let piece = buf.get_mut(..part).unwrap_or_default();
            step(piece, offset.saturating_add(done as u64), done)?;
            done += part;
        }
        Ok(())
    }
}

/// Opens a whole disk that nobody uses. A refusal without a user to name passes by itself: another
/// program probes the disk, or a process that was just started still holds what its parent had open.
fn claim(path: &Path) -> Result<File, TargetError> {
    let at = |source| TargetError::Open {
        device: path.to_owned(),
        source,
    };
    let kernel = Kernel::default();
    let (_, number) = open(path, OpenOptions::new().read(true))?;
    if kernel.is_partition(&number) {
        return Err(TargetError::Partition {
            device: path.to_owned(),
        });
    }
    let mut tries = 0;
    // Nobody uses them, but with them there the kernel lets nobody have the disk for himself.
    let flags = match kernel.has_mapped_partitions(&number).map_err(at)? {
        true => 0,
        false => O_EXCL,
    };
    loop {
        let uses = kernel.uses(&number).map_err(at)?;
        if !uses.is_empty() {
            return Err(TargetError::Busy {
                device: path.to_owned(),
                uses,
            });
        }
        match open_for_writing(path, flags) {
            Err(TargetError::Busy { .. }) if tries < CLAIM_TRIES => {
                tries += 1;
                std::thread::sleep(CLAIM_PAUSE);
            }
            claimed => return claimed,
        }
    }
}

/// Opens for direct I/O if the device supports it. `O_EXCL` in `flags` keeps everybody from mounting
/// it or building on it, and fails if somebody already did.
fn open_for_writing(path: &Path, flags: i32) -> Result<File, TargetError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let opened = match open(path, options.custom_flags(flags | O_DIRECT)) {
        Err(TargetError::Open { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => {
            open(path, options.custom_flags(flags))
        }
        opened => opened,
    };
    match opened {
        Ok((file, _)) => Ok(file),
        Err(TargetError::Open { device, source })
            if source.kind() == io::ErrorKind::ResourceBusy =>
        {
            Err(TargetError::Busy {
                device,
                uses: Vec::new(),
            })
        }
        Err(error) => Err(error),
    }
}

impl Disk for BlockDevice {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector_size(&self) -> SectorSize {
        self.sector
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if is_aligned(buf, offset, self.sector.bytes().into()) {
            return self.file.read_exact_at(buf, offset);
        }
        self.bounce(offset, buf.len(), |piece, at, done| {
            self.file.read_exact_at(piece, at)?;
            match buf
                .get_mut(done..)
                .and_then(|rest| rest.get_mut(..piece.len()))
            {
                Some(to) => to.copy_from_slice(piece),
                None => return Err(io::ErrorKind::InvalidInput.into()),
            }
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if is_aligned(data, offset, self.sector.bytes().into()) {
            return self.file.write_all_at(data, offset);
        }
        self.bounce(offset, data.len(), |piece, at, done| {
            match data.get(done..).and_then(|rest| rest.get(..piece.len())) {
                Some(from) => piece.copy_from_slice(from),
                None => return Err(io::ErrorKind::InvalidInput.into()),
            }
            self.file.write_all_at(piece, at)
        })
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        sys::zero_out(&self.file, offset, len)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
