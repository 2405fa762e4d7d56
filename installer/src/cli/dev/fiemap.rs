//! `dev show fiemap`: the extents of a file.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use serde_json::json;

use super::super::files;
use crate::disk::extents;

/// Options of `dev show fiemap`.
#[derive(Args, Debug)]
pub(in crate::cli) struct FiemapArgs {
    /// File to look at
    #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
    path: PathBuf,
}

impl FiemapArgs {
    pub(super) fn run(self) -> Result<()> {
        let file =
            File::open(&self.path).with_context(|| format!("opening {}", self.path.display()))?;
        let extents = extents(&file).with_context(|| format!("mapping {}", self.path.display()))?;
        files::report_json(&json!({ "extents": extents }))
    }
}
