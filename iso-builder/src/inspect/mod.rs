//! What a live ISO is: what it boots and how, which image it carries, what is embedded in it, and
//! the SHA-256 of each part. Reads ISOs of any builder; whether they keep what they promise is
//! [`crate::verify`]'s.

mod efi;
mod live;
mod starts;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use embed::contract::iso as names;
use embed::digest::Sha256Digest;
use embed::iso::{BootEntry, Extent, IsoError, IsoReader};
use installer::disk::Window;
use serde::Serialize;

pub use efi::EfiProgram;
pub use live::{EmbeddedFile, Live};
pub(crate) use live::{Stamps, stamps};
pub use starts::{GptPartition, MbrPartition};

use crate::image::of_kernel;

/// Largest kernel that is looked into, bytes.
const MAX_KERNEL: u64 = 256 << 20;

/// Why an ISO cannot be looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The file cannot be read.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// Not an ISO, or a broken one.
    #[error("it is not an ISO that can be looked into")]
    Iso(#[source] IsoError),
    /// The initramfs on it.
    #[error("its initramfs cannot be read")]
    Initramfs(#[source] embed::initrd::InitrdError),
    /// A description on it that is none.
    #[error("`{path}` in its initramfs makes no sense")]
    Description {
        /// Path in the initramfs.
        path: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An ISO.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// Label.
    pub volume_id: String,
    /// Size of the file, bytes.
    pub size: u64,
    /// Digest of the file.
    pub sha256: Sha256Digest,
    /// How it can be started.
    pub boots: Boots,
    /// Kernel, initramfs, rootfs and the image that UEFI starts from, as far as they are there.
    pub parts: Vec<Part>,
    /// What makes it a live ISO; absent when it is none.
    pub live: Option<Live>,
}

/// How an ISO can be started.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Boots {
    /// From CD: the entries of the El Torito catalogue.
    pub el_torito: Vec<CdEntry>,
    /// From a disk by a BIOS: whether the first sector holds boot code.
    pub boot_code: bool,
    /// Entries of the MBR that are in use.
    pub mbr: Vec<MbrPartition>,
    /// Partitions of the GPT; absent when there is none.
    pub gpt: Option<Vec<GptPartition>>,
    /// EFI programs of the image that UEFI starts from.
    pub efi: Vec<EfiProgram>,
    /// Whether firmware with Secure Boot finds a signed program to start. Whose signature it is,
    /// the firmware decides.
    pub secure_boot: bool,
}

/// An entry of the boot catalogue and the file that it starts.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CdEntry {
    /// The entry.
    #[serde(flatten)]
    pub entry: BootEntry,
    /// The file whose bytes it starts, when it is one of the ISO's.
    pub file: Option<String>,
}

/// A file that matters.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// What it is: `kernel`, `initramfs`, `rootfs` or `efi-image`.
    pub role: &'static str,
    /// Path on the ISO.
    pub path: String,
    /// Machine that it is for, as far as its header tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Where it begins, bytes.
    pub offset: u64,
    /// Size, bytes.
    pub size: u64,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
}

/// Looks into the ISO at `path`.
pub fn inspect(path: &Path) -> Result<Inspection, InspectError> {
    let file = Arc::new(File::open(path).map_err(InspectError::Read)?);
    let whole = Window::whole(Arc::clone(&file)).map_err(InspectError::Read)?;
    let mut iso = IsoReader::open(whole.clone()).map_err(InspectError::Iso)?;
    let (sha256, size) = Sha256Digest::of_reader(whole.clone()).map_err(InspectError::Read)?;
    let parts = parts(&mut iso)?;
    let boots = boots(&mut iso, &whole)?;
    Ok(Inspection {
        volume_id: iso.volume_id().to_owned(),
        size,
        sha256,
        boots,
        parts,
        live: live::read(&whole)?,
    })
}

fn boots(iso: &mut IsoReader<Window>, whole: &Window) -> Result<Boots, InspectError> {
    let entries = iso.boot_entries().map_err(InspectError::Iso)?;
    let tree = iso.tree().map_err(InspectError::Iso)?;
    let file_at = |offset: u64| {
        let file = tree
            .iter()
            .find(|file| !file.is_directory && file.extent.offset == offset);
        file.map(|file| file.path.to_lowercase())
    };
    let uefi = entries
        .iter()
        .find(|entry| entry.platform == embed::iso::Platform::Uefi)
        .and_then(|entry| {
            tree.iter()
                .find(|file| !file.is_directory && file.extent.offset == entry.offset)
        });
    let efi = uefi
        .and_then(|file| whole.part(file.extent.offset, file.extent.length))
        .map(efi::programs)
        .unwrap_or_default();
    let mbr = starts::mbr(whole).map_err(InspectError::Read)?;
    Ok(Boots {
        el_torito: entries
            .iter()
            .map(|&entry| CdEntry {
                file: file_at(entry.offset),
                entry,
            })
            .collect(),
        boot_code: mbr.boot_code,
        mbr: mbr.partitions,
        gpt: starts::gpt(whole),
        secure_boot: efi::secure_boot(&efi),
        efi,
    })
}

fn parts(iso: &mut IsoReader<Window>) -> Result<Vec<Part>, InspectError> {
    let mut parts = Vec::new();
    for (role, path) in [
        ("kernel", names::KERNEL),
        ("initramfs", names::INITRAMFS),
        ("rootfs", names::ROOTFS),
        ("efi-image", names::EFI_IMAGE),
    ] {
        let Some(extent) = iso.find(path).map_err(InspectError::Iso)? else {
            continue;
        };
        parts.push(Part {
            role,
            path: path.to_owned(),
            architecture: architecture(iso, role, extent)?,
            offset: extent.offset,
            size: extent.length,
            sha256: digest(iso, extent)?,
        });
    }
    Ok(parts)
}

fn architecture(
    iso: &mut IsoReader<Window>,
    role: &str,
    extent: Extent,
) -> Result<Option<String>, InspectError> {
    if role != "kernel" || extent.length > MAX_KERNEL {
        return Ok(None);
    }
    let kernel = iso.read_extent(extent).map_err(InspectError::Iso)?;
    Ok(of_kernel(&kernel).map(|arch| arch.to_string()))
}

/// Digest of the bytes of `extent`.
fn digest(iso: &mut IsoReader<Window>, extent: Extent) -> Result<Sha256Digest, InspectError> {
    let content = iso.open_extent(extent).map_err(InspectError::Iso)?;
    let (digest, _) = Sha256Digest::of_reader(content).map_err(InspectError::Read)?;
    Ok(digest)
}
