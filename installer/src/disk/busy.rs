//! Who uses a disk.

/// One use of a disk or of a partition on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// Mounted.
    Mounted {
        /// Device node of the disk or partition.
        device: std::path::PathBuf,
        /// Mount point.
        at: std::path::PathBuf,
    },
}
