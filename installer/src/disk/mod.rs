//! Disks: what the image path asks of one ([`Disk`]), real block devices behind it, partition
//! tables, partitions to keep, and the boot file system.
//!
//! Nothing here needs udev, a partition parser in the kernel, or device-mapper: partitions are
//! found in the table itself and mounted by their offset.

pub(crate) mod aligned;
pub(crate) mod busy;
pub(crate) mod choose;
mod composed;
pub(crate) mod content;
pub(crate) mod device;
mod extents;
pub(crate) mod inventory;
pub(crate) mod label;
pub(crate) mod mount;
pub(crate) mod saved;
mod stale;
pub(crate) mod superblock;
pub(crate) mod sys;
pub(crate) mod table;
mod window;
pub(crate) mod zero;

use std::io;

pub use busy::Use;
pub use choose::{ChooseError, DiskRule, DiskRuleError, choose};
pub use composed::Composed;
pub use content::{Content, PartitionContent, TableKind};
pub use device::{BlockDevice, TargetError, sector_size_of};
pub use embed::gpt::{GptError, SectorSize};
pub use extents::{Extent, ExtentsError, extents};
pub use inventory::{DiskInfo, disks};
pub use mount::BootError;
pub use saved::{SaveFilter, SaveFilterError, SavedError};
pub use stale::{StaleBoot, StalePlace, WipeError, stale_boots};
pub use superblock::Held;
pub use window::Window;

/// Bytes at the start of a disk that are written last: MBR, partition table, and whatever boot
/// code lies before the first partition.
pub const HEAD: u64 = 1024 * 1024;

/// What the image path asks of a disk. Offsets and lengths are bytes; those of writes are
/// multiples of the sector size.
///
/// A write may stay in caches until [`Disk::flush`] returns, and until then may reach the medium
/// in any order or not at all.
pub trait Disk: Send + Sync {
    /// Size in bytes.
    fn len(&self) -> u64;

    /// Whether it has no room at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Logical sector size.
    fn sector_size(&self) -> SectorSize;

    /// Fills `buf` from `offset`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes `len` bytes from `offset` read as zeroes, in the cheapest way that guarantees it.
    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn flush(&self) -> io::Result<()>;
}
