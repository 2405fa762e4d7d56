//! The EFI system partition of an image: the boot loader that its vendor signed, to be put on the
//! medium unchanged. FAT by the `fatfs` crate, through a window that cannot write.

use std::io::{self, Read};

use fatfs::{FileSystem, FsOptions};
use installer::disk::Window;

use super::table::Partition;

type Dir<'a> = fatfs::Dir<'a, Window>;

/// Where the firmware looks on removable media (UEFI 2.10 section 3.5.1.1), here for x86_64.
const REMOVABLE_DIR: &str = "BOOT";
const REMOVABLE_LOADER: &str = "BOOTX64.EFI";
const GRUB: &str = "grubx64.efi";
const MOK_MANAGER: &str = "mmx64.efi";
/// Largest boot loader that is read, bytes.
const MAX_LOADER: u64 = 32 << 20;
/// Most directories below `EFI` that are looked at.
const MAX_DIRS: usize = 64;

/// Why there is no boot loader to take from an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EspError {
    /// No partition of the type.
    #[error("image has no EFI system partition")]
    NoPartition,
    /// Not FAT, or broken.
    #[error("cannot read `{path}` of the image's EFI system partition")]
    Read {
        /// What was read.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// No boot loader.
    #[error("image has no `{0}` on its EFI system partition")]
    NoLoader(String),
    /// A file of a size that no boot loader has.
    #[error("`{path}` on the EFI system partition is larger than {MAX_LOADER} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
}

/// The boot loader of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfiLoader {
    /// What the firmware starts: shim, or whatever the image has in its place.
    pub first: Vec<u8>,
    /// GRUB, which the first stage starts.
    pub grub: Vec<u8>,
    /// The key manager that shim starts when asked to, if the image has it.
    pub mok_manager: Option<Vec<u8>>,
    /// Directories below `EFI`, other than the firmware's own: where this GRUB may look for its
    /// configuration, as the vendor built it.
    pub vendors: Vec<String>,
}

/// Reads the boot loader from the EFI system partition among `partitions`.
pub(super) fn read_loader(partitions: &[Partition]) -> Result<EfiLoader, EspError> {
    let partition = partitions
        .iter()
        .find(|partition| partition.is_esp)
        .ok_or(EspError::NoPartition)?;
    let fs = FileSystem::new(partition.window.clone(), FsOptions::new())
        .map_err(|e| read_error("", e))?;
    let root = fs.root_dir();
    let efi = match root.open_dir("EFI") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_loader("EFI", REMOVABLE_DIR));
        }
        other => other.map_err(|e| read_error("EFI", e))?,
    };
    let mut dirs = directories(&efi)?;
    dirs.sort();
    let (removable, vendors): (Vec<String>, Vec<String>) = dirs
        .into_iter()
        .partition(|name| name.eq_ignore_ascii_case(REMOVABLE_DIR));
    let removable: Vec<&str> = removable.iter().map(String::as_str).collect();
    let first = find(&efi, &removable, REMOVABLE_LOADER)?;
    let in_order: Vec<&str> = removable
        .into_iter()
        .chain(vendors.iter().map(String::as_str))
        .collect();
    let grub = find(&efi, &in_order, GRUB)?;
    let mok_manager = find(&efi, &in_order, MOK_MANAGER)?;
    Ok(EfiLoader {
        first: first.ok_or_else(|| no_loader(REMOVABLE_DIR, REMOVABLE_LOADER))?,
        grub: grub.ok_or_else(|| no_loader("*", GRUB))?,
        mok_manager,
        vendors,
    })
}

fn directories(efi: &Dir<'_>) -> Result<Vec<String>, EspError> {
    let mut out = Vec::new();
    for entry in efi.iter().take(MAX_DIRS) {
        let entry = entry.map_err(|e| read_error("EFI", e))?;
        let name = entry.file_name();
        if entry.is_dir() && name != "." && name != ".." {
            out.push(name);
        }
    }
    Ok(out)
}

fn find(efi: &Dir<'_>, dirs: &[&str], file: &str) -> Result<Option<Vec<u8>>, EspError> {
    for dir in dirs {
        let path = format!("{dir}/{file}");
        let opened = match efi.open_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(|e| read_error(&path, e))?,
        };
        let mut bytes = Vec::new();
        opened
            .take(MAX_LOADER + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| read_error(&path, e))?;
        if bytes.len() as u64 > MAX_LOADER {
            return Err(EspError::TooLarge { path });
        }
        return Ok(Some(bytes));
    }
    Ok(None)
}

fn no_loader(dir: &str, file: &str) -> EspError {
    EspError::NoLoader(format!("EFI/{dir}/{file}"))
}

fn read_error(path: &str, source: io::Error) -> EspError {
    EspError::Read {
        path: path.to_owned(),
        source,
    }
}
