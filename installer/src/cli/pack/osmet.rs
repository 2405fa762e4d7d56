//! `pack osmet`: from a disk or image with a CoreOS-style system to the osmet file that its live
//! medium carries.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use embed::digest::Sha256Digest;
use indicatif::HumanBytes;

use crate::pack_osmet::{OsmetRequest, pack_osmet};
use crate::ui;

/// Options of `pack osmet`.
#[derive(Args, Debug)]
pub(in crate::cli) struct OsmetArgs {
    /// File to make
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// SHA-256 that the image must have
    #[arg(long, value_name = "SHA256")]
    checksum: Sha256Digest,
    /// What is shown of the operating system
    #[arg(long, value_name = "TEXT")]
    description: String,
    /// Compress less, for development
    #[arg(long)]
    fast: bool,
    /// Disk, or raw image
    #[arg(value_name = "DEV", value_hint = ValueHint::AnyPath)]
    device: PathBuf,
}

impl OsmetArgs {
    pub(super) fn run(self) -> Result<()> {
        let packed = pack_osmet(&OsmetRequest {
            device: self.device,
            sha256: self.checksum,
            description: self.description,
            preset: if self.fast { 0 } else { 9 },
            output: self.output,
        })?;
        ui::tell(&format!(
            "{} of {} are in the repository; the osmet file has {}",
            HumanBytes(packed.shared),
            HumanBytes(packed.image),
            HumanBytes(packed.size)
        ));
        Ok(())
    }
}
