//! An OS image read without mounting and without root: partitions, boot loader entry, kernel,
//! initramfs, EFI boot loader.
//!
//! Nothing of an image is looked at before its signature was checked: [`OsImage::open`] asks for
//! the proof; [`OsImage::of_live`] takes one that a live initramfs vouches for. Its content is still treated as possibly broken: bounded sizes, no paths that leave.

mod arch;
mod bls;
mod boot;
mod esp;
mod probe;
mod root;
mod table;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::sync::Arc;

use embed::digest::Sha256Digest;
use embed::medium::LiveImage;
use embed::ostree::BootLink;
use installer::disk::Window;
use installer::image::ImageFacts;
use installer::verify::Verified;

pub use arch::{Arch, of_kernel};
pub use bls::{BlsEntry, BlsError};
pub use boot::{BootError, BootPartition};
pub use esp::{EfiLoader, EspError};
pub use probe::FileSystem;
pub use root::{RootError, RootFiles};
pub use table::TableError;

use table::Partition;

/// Name of the partition that the live system takes its root from.
const ROOT_PARTITION: &str = "root";

/// Why a file is no OS image to make a medium from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The unpacked file cannot be opened.
    #[error("cannot open the unpacked image")]
    Open(#[source] io::Error),
    /// No GPT at any sector size.
    #[error("image has no GPT: it is not a raw disk image")]
    NoTable,
    /// A GPT that cannot be used.
    #[error("cannot read the partitions of the image")]
    Table(#[source] TableError),
    /// No partition for the live root.
    #[error("image has no partition named `{ROOT_PARTITION}`; it has {}", .found.join(", "))]
    NoRoot {
        /// Names of the partitions that it has.
        found: Vec<String>,
    },
}

/// A raw image whose publisher is known (or was waived), with its partitions.
#[derive(Debug)]
pub struct OsImage {
    partitions: Vec<Partition>,
    size: u64,
    sha256: Sha256Digest,
    sector_size: u32,
}

impl OsImage {
    /// Opens the unpacked image in `raw`, which `verified` vouches for.
    pub fn open(raw: File, facts: &ImageFacts, _verified: &Verified) -> Result<Self, ImageError> {
        let sector_size = facts.sector_size.ok_or(ImageError::NoTable)?.bytes();
        Self::read(raw, facts.size, facts.sha256, sector_size)
    }

    /// Opens the raw image of a live rootfs, which was found to be the `image` that its initramfs
    /// names.
    pub fn of_live(raw: File, image: &LiveImage) -> Result<Self, ImageError> {
        Self::read(raw, image.size, image.sha256, image.sector_size)
    }

    fn read(
        raw: File,
        size: u64,
        sha256: Sha256Digest,
        sector_size: u32,
    ) -> Result<Self, ImageError> {
        let whole = Window::whole(Arc::new(raw)).map_err(ImageError::Open)?;
        let partitions = table::partitions(&whole, sector_size).map_err(ImageError::Table)?;
        if !partitions
            .iter()
            .any(|partition| partition.name == ROOT_PARTITION)
        {
            let found = partitions
                .into_iter()
                .map(|partition| format!("`{}`", partition.name))
                .collect();
            return Err(ImageError::NoRoot { found });
        }
        Ok(Self {
            partitions,
            size,
            sha256,
            sector_size,
        })
    }

    /// Size of the raw image, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Digest of the raw image.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// Sector size that its partition table is made for, bytes.
    pub fn sector_size(&self) -> u32 {
        self.sector_size
    }

    /// Opens the boot partition.
    pub fn boot(&self) -> Result<BootPartition, BootError> {
        BootPartition::find(&self.partitions)
    }

    /// Opens the root file system; of an OSTree system, the `deployment` in it that is the root.
    pub fn root(&self, deployment: Option<&BootLink>) -> Result<RootFiles, RootError> {
        RootFiles::open(&self.partitions, deployment)
    }

    /// Reads the boot loader from the EFI system partition.
    pub fn efi_loader(&self) -> Result<EfiLoader, EspError> {
        esp::read_loader(&self.partitions)
    }
}
