//! What a live system was booted from: the image inside its rootfs, and where that image is.
//!
//! `LiveImage` is written into the initramfs by the media builder after the image's signature was
//! verified; `LiveMedium` is written to `/run` by the live system and read by the installer.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// The OS image that a live rootfs carries, as verified when the medium was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveImage {
    /// Name of the OS image, for messages and file names.
    pub name: String,
    /// Version of the OS image.
    pub version: String,
    /// Machine architecture as `uname -m` prints it.
    pub architecture: String,
    /// Sector size that the image's partition table is made for, bytes.
    pub sector_size: u32,
    /// Size of the raw image, bytes.
    pub size: u64,
    /// Digest of the raw image.
    pub sha256: Sha256Digest,
}

/// A [`LiveImage`] and the path at which the running live system sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveMedium {
    /// The image.
    pub image: LiveImage,
    /// Path of the raw image file.
    pub path: std::path::PathBuf,
}
