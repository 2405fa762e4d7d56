//! Writer of bootable ISO 9660 media (ECMA-119) with Rock Ridge and Joliet names, El Torito boot
//! entries for BIOS and UEFI, and partition tables for the start from a disk.
//!
//! Knows nothing of what the files mean. Reading and editing media is `embed::iso`'s.
//!
//! ```text
//! sector 0   MBR + boot code, GPT           | 20   boot catalogue
//!        16  primary volume descriptor      | 21…  path tables, directories (primary, Joliet)
//!        17  El Torito boot record          |      files in path order, each at a sector's start
//!        18  Joliet volume descriptor       |      ESP, 1 MiB aligned
//!        19  terminator                     | end  backup GPT
//! ```

mod descriptor;
mod eltorito;
mod hierarchy;
mod hybrid;
mod layout;
mod names;
mod record;
mod time;
mod tree;
mod write;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use uuid::Uuid;

pub use descriptor::{VolumeId, VolumeIdError};
pub use time::Timestamp;
pub use tree::{Content, Tree, TreeError};
pub use write::write_image;

/// Bytes in a sector of the medium.
const SECTOR: u32 = 2048;

/// What a medium is besides its files.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// Label.
    pub volume_id: VolumeId,
    /// The one time stamp that everything on the medium carries.
    pub time: Timestamp,
    /// Path in the tree of GRUB's El Torito image (`i386-pc-eltorito`), started by a BIOS.
    pub bios_image: Option<String>,
    /// Path in the tree of the file system image that UEFI starts from.
    pub efi_image: Option<String>,
    /// Start from a disk; needs both images.
    pub hybrid: Option<Hybrid>,
}

/// What the start from a disk needs.
#[derive(Clone, Debug)]
pub struct Hybrid {
    /// GRUB's `boot_hybrid.img`; its first 440 bytes are used.
    pub boot_code: Vec<u8>,
    /// GUID of the GPT.
    pub disk_guid: Uuid,
    /// GUIDs of the data partition and of the ESP.
    pub partition_guids: [Uuid; 2],
}

/// Why a medium could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IsoError {
    /// More sectors than ISO 9660 can count, or than the partition table can.
    #[error("files are too large for an ISO 9660 medium")]
    TooLarge,
    /// A boot image is named that is not in the tree.
    #[error("no file `{0}` in the tree of the medium")]
    NoFile(String),
    /// Not an El Torito image of GRUB.
    #[error("`{0}` is too short to be GRUB's El Torito image")]
    BootImage(String),
    /// Not GRUB's `boot_hybrid.img`.
    #[error("GRUB's boot code has {size} bytes, 440 are needed")]
    BootCode {
        /// Bytes found.
        size: usize,
    },
    /// A source file has another size than when the medium was laid out.
    #[error(
        "{path} changed while it was written to the medium: {planned} bytes planned, {found} found"
    )]
    Changed {
        /// The source file.
        path: PathBuf,
        /// Bytes that have a place.
        planned: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A source file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The source file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A source file cannot be copied to the medium.
    #[error("cannot copy {path} to the medium")]
    Copy {
        /// The source file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The medium cannot be written.
    #[error("cannot write the medium")]
    Write {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The partition tables cannot be written.
    #[error("cannot write the partition tables of the medium")]
    Table(#[source] Box<dyn std::error::Error + Send + Sync>),
}
