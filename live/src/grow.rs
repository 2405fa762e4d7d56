//! First boot from a disk: the image's partition table ends where the image ended, so the backup
//! table is moved to the disk's end, a fixed disk GUID is replaced by a random one, and the last
//! partition, which is root, gets the rest of the disk.
//!
//! The file system itself grows in the real root (`systemd-growfs`).

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use embed::gpt::{GptError, Partition, Rendered, Table, TableError};

use crate::{sys, table};

/// Disk GUID that images are published with; each machine gets its own.
pub const IMAGE_DISK_GUID: Uuid = Uuid::from_u128(0x00000000_0000_4000_a000_000000000001);

/// Why the disk could not be grown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrowError {
    /// The partition's place in sysfs is not as expected.
    #[error("cannot find the disk of {}", .partition.display())]
    Disk {
        /// Partition node.
        partition: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// The disk could not be opened, read or flushed.
    #[error("cannot update partition table of {}", .disk.display())]
    Io {
        /// Disk node.
        disk: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// The table could not be read or does not fit.
    #[error("cannot update partition table of {}", .disk.display())]
    Table {
        /// Disk node.
        disk: PathBuf,
        /// Reason.
        #[source]
        source: MoveError,
    },
    /// The table was written, and the kernel still has the old size.
    #[error("kernel did not take the new size of partition {number} of {}", .disk.display())]
    Kernel {
        /// Disk node.
        disk: PathBuf,
        /// Partition number.
        number: u32,
        /// Reason.
        #[source]
        source: io::Error,
    },
}

/// What was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    /// The backup table was moved or the usable area changed.
    pub moved: bool,
    /// The disk got a GUID of its own.
    pub renamed: bool,
    /// The partition that grew, with its new length.
    pub partition: Option<Partition>,
}

impl fmt::Display for Grown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.moved {
            parts.push("backup table moved to the end".to_owned());
        }
        if self.renamed {
            parts.push("new disk GUID".to_owned());
        }
        if let Some(partition) = &self.partition {
            parts.push(format!(
                "partition {} is now {} MiB",
                partition.number,
                partition.length / 1024 / 1024
            ));
        }
        f.write_str(&if parts.is_empty() {
            "unchanged".to_owned()
        } else {
            parts.join(", ")
        })
    }
}

/// Why a table could not be read or moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// There is none, or it cannot be read.
    #[error(transparent)]
    Read(#[from] TableError),
    /// It does not fit the disk.
    #[error(transparent)]
    Fit(#[from] GptError),
    /// It could not be written.
    #[error("cannot write the partition table")]
    Write(#[source] io::Error),
}

/// Moves the table of `disk`, which has `size` bytes and sectors of `sector` bytes, and grows
/// partition `number`. `guid` replaces [`IMAGE_DISK_GUID`] and no other. Writes nothing when
/// nothing changes.
pub fn grow_table(
    disk: &File,
    sector: u32,
    size: u64,
    number: u32,
    guid: Uuid,
) -> Result<Grown, MoveError> {
    let mut table = table::read(disk, sector, size)?;
    let moved = table.fit(size)?;
    let renamed = Uuid::from_bytes_le(table.disk_guid) == IMAGE_DISK_GUID;
    if renamed {
        table.disk_guid = guid.to_bytes_le();
    }
    let grown = Grown {
        moved,
        renamed,
        partition: table.grow(number),
    };
    if grown != Grown::default() {
        let copies = table.render(table.last + 1)?;
        write_backup(disk, &copies).map_err(MoveError::Write)?;
        write_primary(disk, &table, &copies).map_err(MoveError::Write)?;
    }
    Ok(grown)
}

/// Before the primary, so that one of the two is whole at every instant.
fn write_backup(disk: &File, copies: &Rendered) -> io::Result<()> {
    disk.write_all_at(&copies.backup, copies.backup_offset)?;
    disk.sync_all()
}

/// With it the size in a protective MBR; an MBR of another kind (a hybrid's) stays.
fn write_primary(disk: &File, table: &Table, copies: &Rendered) -> io::Result<()> {
    disk.write_all_at(&copies.primary, table.sector.bytes().into())?;
    let mut mbr = [0u8; 512];
    disk.read_exact_at(&mut mbr, 0)?;
    if mbr[450] == 0xEE && mbr[510..] == [0x55, 0xAA] {
        let size = u32::try_from(table.last).unwrap_or(u32::MAX);
        mbr[458..462].copy_from_slice(&size.to_le_bytes());
        disk.write_all_at(&mbr, 0)?;
    }
    disk.sync_all()
}

/// Grows the disk of `partition` (a node such as `/dev/vda4`), in the table and in the kernel.
pub fn grow_disk_of(partition: &Path) -> Result<Grown, GrowError> {
    let place =
        Place::of(partition, Path::new("/sys/class/block")).map_err(|source| GrowError::Disk {
            partition: partition.to_owned(),
            source,
        })?;
    let io_error = |source| GrowError::Io {
        disk: place.disk.clone(),
        source,
    };
    let disk = File::options()
        .read(true)
        .write(true)
        .open(&place.disk)
        .map_err(io_error)?;
    let sector = sys::sector_size(&disk).map_err(io_error)?;
    let size = sys::device_size(&disk).map_err(io_error)?;
    let grown =
        grow_table(&disk, sector, size, place.number, Uuid::new_v4()).map_err(|source| {
            GrowError::Table {
                disk: place.disk.clone(),
                source,
            }
        })?;
    if let Some(partition) = &grown.partition {
        sys::resize_partition(&disk, partition.number, partition.start, partition.length).map_err(
            |source| GrowError::Kernel {
                disk: place.disk.clone(),
                number: partition.number,
                source,
            },
        )?;
    }
    Ok(grown)
}

/// Which disk a partition is on, and its number there.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    disk: PathBuf,
    number: u32,
}

impl Place {
    /// Looks the partition up in `class_block`, whose links lead to `…/DISK/PARTITION`.
    fn of(partition: &Path, class_block: &Path) -> io::Result<Self> {
        let node = fs::canonicalize(partition)?;
        let name = node.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let entry = fs::canonicalize(class_block.join(name))?;
        let number = fs::read_to_string(entry.join("partition"))?
            .trim()
            .parse()
            .map_err(io::Error::other)?;
        let disk = entry
            .parent()
            .and_then(Path::file_name)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            disk: node.with_file_name(disk),
            number,
        })
    }
}

#[cfg(test)]
mod tests;
