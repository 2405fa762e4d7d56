//! `pack minimal-iso`: puts a description of the minimal ISO into the full one, from which
//! `iso extract minimal-iso` makes it again.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::iso::{IsoReader, MinimalIso, apply_in_place};

use crate::ui;

/// Options of `pack minimal-iso`.
#[derive(Args, Debug)]
pub(in crate::cli) struct MinimalIsoArgs {
    /// Full ISO image, edited in place; has room in coreos/miniso.dat
    #[arg(value_name = "FULL", value_hint = ValueHint::FilePath)]
    full: PathBuf,
    /// Minimal ISO image: the full one without rootfs and coreos/miniso.dat
    #[arg(value_name = "MINIMAL", value_hint = ValueHint::FilePath)]
    minimal: PathBuf,
    /// Delete the minimal ISO image when it is packed
    #[arg(long)]
    consume: bool,
}

impl MinimalIsoArgs {
    pub(super) fn run(self) -> Result<()> {
        let mut full = open(&self.full)?;
        let mut minimal = open(&self.minimal)?;
        let packed = MinimalIso::pack(&mut full, &mut minimal, env!("CARGO_PKG_VERSION"))?;
        let region = packed.description.store(&mut full)?;
        let name = || format!("writing {}", self.full.display());
        let output = OpenOptions::new().write(true).open(&self.full);
        let output = output.with_context(name)?;
        apply_in_place(&output, &[region]).with_context(name)?;
        output.sync_all().with_context(name)?;
        ui::tell(&format!(
            "{} files of {} bytes are shared; {} bytes are kept",
            packed.files, packed.shared, packed.kept
        ));
        if self.consume {
            fs::remove_file(&self.minimal)
                .with_context(|| format!("deleting {}", self.minimal.display()))?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<IsoReader<File>> {
    let name = || format!("opening ISO image {}", path.display());
    IsoReader::open(File::open(path).with_context(name)?).with_context(name)
}
