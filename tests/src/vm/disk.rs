//! Drives of a machine: raw files as virtio disks, ISO images as CD-ROM or as a USB stick.
//!
//! Sparse files are enough; nothing here needs qemu-img.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drive {
    /// `/dev/vdX`, read and written in place.
    Disk(PathBuf),
    /// The same with sectors of 4096 bytes.
    Disk4096(PathBuf),
    /// A CD-ROM on the SATA bus, never written.
    CdRom(PathBuf),
    /// A USB stick, never written.
    UsbStick(PathBuf),
}

impl Drive {
    /// Arguments for QEMU; `index` makes the identifiers unique.
    pub(super) fn arguments(&self, index: usize, boot_index: usize) -> Vec<OsString> {
        let (path, options, device) = match self {
            Self::Disk(path) => (path, "", format!("virtio-blk-pci,drive=drive{index}")),
            Self::Disk4096(path) => (
                path,
                "",
                format!(
                    "virtio-blk-pci,drive=drive{index},logical_block_size=4096,physical_block_size=4096"
                ),
            ),
            Self::CdRom(path) => (path, ",readonly=on", format!("ide-cd,drive=drive{index}")),
            Self::UsbStick(path) => (path, ",readonly=on", format!("qemu-xhci,id=usb{index}")),
        };
        let mut arguments: Vec<OsString> = Vec::new();
        let mut device = device;
        if matches!(self, Self::UsbStick(_)) {
            arguments.extend(["-device".into(), device.into()]);
            device = format!("usb-storage,bus=usb{index}.0,drive=drive{index}");
        }
        arguments.push("-drive".into());
        arguments.push(
            format!(
                "if=none,id=drive{index},format=raw,cache=unsafe,file={}{options}",
                path.display()
            )
            .into(),
        );
        arguments.push("-device".into());
        arguments.push(format!("{device},bootindex={boot_index}").into());
        arguments
    }
}

/// Makes an empty sparse disk of `bytes` at `path`.
pub fn empty(path: &Path, bytes: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    file.set_len(bytes)
        .with_context(|| format!("sizing {}", path.display()))
}

/// Copies the raw image at `image` to `path`, keeping it sparse, and grows the copy to `bytes`.
pub fn from_image(path: &Path, image: &Path, bytes: u64) -> Result<()> {
    let status = std::process::Command::new("cp")
        .arg("--sparse=always")
        .args([image, path])
        .status()
        .context("running cp")?;
    anyhow::ensure!(
        status.success(),
        "copying {} to {} failed",
        image.display(),
        path.display()
    );
    let file = File::options()
        .write(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))?;
    let length = file.metadata()?.len();
    anyhow::ensure!(
        length <= bytes,
        "{} of {length} bytes does not fit a disk of {bytes}",
        image.display()
    );
    file.set_len(bytes)
        .with_context(|| format!("sizing {}", path.display()))
}
