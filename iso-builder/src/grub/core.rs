//! GRUB for BIOS: the El Torito image, put together by `grub-mkimage` from the host's modules, and
//! the boot code for disks. Both are host files because no image carries them for CDs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use installer::cancel::Cancel;

use crate::tools::{GrubModules, ToolError, ToolPath};

/// Name of the boot code among GRUB's modules.
pub const BOOT_CODE: &str = "boot_hybrid.img";
const FORMAT: &str = "i386-pc-eltorito";
/// Everything that the configuration uses, so that nothing has to be found before the medium is.
const MODULES: [&str; 14] = [
    "biosdisk",
    "iso9660",
    "part_gpt",
    "part_msdos",
    "search",
    "search_fs_file",
    "normal",
    "configfile",
    "linux",
    "test",
    "echo",
    "serial",
    "terminal",
    "minicmd",
];

/// Why GRUB could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A file of GRUB, or one made on the way.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `grub-mkimage` failed.
    #[error("cannot make GRUB's boot image")]
    Tool(#[source] ToolError),
}

/// Makes the El Torito image that reads `stub` first; `work` is a directory for files on the way.
pub fn bios_image(
    mkimage: &ToolPath,
    modules: &GrubModules,
    stub: &str,
    work: &Path,
    cancel: &Cancel,
) -> Result<Vec<u8>, CoreError> {
    let (config, image) = (work.join("eltorito.cfg"), work.join("eltorito.img"));
    fs::write(&config, stub).map_err(|source| CoreError::File {
        path: config.clone(),
        source,
    })?;
    let mut command = mkimage.command();
    command
        .args(["-O", FORMAT, "-p", "/boot/grub", "-d"])
        .arg(modules.dir());
    command
        .arg("-c")
        .arg(&config)
        .arg("-o")
        .arg(&image)
        .args(MODULES);
    mkimage.run(command, cancel).map_err(CoreError::Tool)?;
    fs::read(&image).map_err(|source| CoreError::File {
        path: image.clone(),
        source,
    })
}

/// The boot code for disks.
pub fn boot_code(modules: &GrubModules) -> Result<Vec<u8>, CoreError> {
    let path = modules.dir().join(BOOT_CODE);
    fs::read(&path).map_err(|source| CoreError::File { path, source })
}
