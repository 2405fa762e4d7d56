//! Block devices.

use std::path::{Path, PathBuf};
use super::SectorSize;
use super::busy::Use;

/// Why a device cannot be the target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Something uses the disk.
    #[error("{} is in use", device.display())]
    Busy {
        /// The disk.
        device: PathBuf,
        /// By what.
        uses: Vec<Use>,
    },
}

/// Logical sector size of a block device.
pub fn sector_size_of(_path: &Path) -> Result<SectorSize, TargetError> {
    todo!()
}
