//! Where a made config goes: standard output, or a file that only its owner can read, since
//! configs hold secrets. Either whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};

use super::super::files;
use super::STDIN as DASH;

/// Options of commands that make a config.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct OutputArgs {
    /// Indent the JSON
    #[arg(short, long)]
    pub(in crate::cli) pretty: bool,
    /// Write to this file, with mode 0600 [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

impl OutputArgs {
    /// Whether standard output is left free.
    pub(in crate::cli) fn is_file(&self) -> bool {
        self.path().is_some()
    }

    /// Writes the result. An existing file is replaced; a device or pipe is written to.
    pub(in crate::cli) fn write(&self, bytes: &[u8]) -> Result<()> {
        let Some(path) = self.path() else {
            return files::report(bytes);
        };
        let name = || format!("writing {}", path.display());
        let existing = fs::metadata(path).ok();
        if existing.is_some_and(|file| !file.is_file()) {
            return fs::write(path, bytes).with_context(name);
        }
        // What a link points to is replaced, not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        files::create_or_replace(&target, |file| file.write_all(bytes).with_context(name))
    }

    fn path(&self) -> Option<&PathBuf> {
        self.output.as_ref().filter(|path| path.as_os_str() != DASH)
    }
}
