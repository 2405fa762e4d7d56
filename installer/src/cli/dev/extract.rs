//! `dev extract …`. Of an initrd: the regular files of an initrd, below a directory and nowhere else.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::initrd::relative_path;

use super::super::files;
use super::initrd::InitrdArgs;
use super::osmet::OsmetArgs;

/// Subcommands of `dev extract`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExtractCommand {
    /// Extract the files of an initrd; existing files are never overwritten
    Initrd(ExtractArgs),
    /// Make the raw image that an osmet file describes
    Osmet(OsmetArgs),
}

/// Options of `dev extract initrd`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExtractArgs {
    /// Directory to write to
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
    /// Print the paths of the files
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    initrd: InitrdArgs,
}

impl ExtractCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Initrd(args) => args.run(),
            Self::Osmet(args) => args.run(),
        }
    }
}

impl ExtractArgs {
    fn run(&self) -> Result<()> {
        let mut made = BTreeSet::new();
        self.initrd
            .each_file(|name, data| self.file(name, data, &mut made))?;
        if !self.verbose {
            return Ok(());
        }
        let mut text = String::new();
        for path in made {
            text.push_str(&self.directory.join(path).to_string_lossy());
            text.push('\n');
        }
        files::report(text.as_bytes())
    }

    /// Makes one file. Of several with one path the last wins, as for the kernel.
    fn file(&self, name: &str, data: &mut dyn Read, made: &mut BTreeSet<String>) -> Result<()> {
        let relative = relative_path(name)?;
        let path = self.directory.join(relative);
        let context = || format!("writing {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(context)?;
        }
        let again = !made.insert(relative.to_owned());
        let mut options = OpenOptions::new();
        options.write(true).create_new(!again).truncate(again);
        let mut file = options.open(&path).with_context(context)?;
        io::copy(data, &mut file).with_context(context)?;
        Ok(())
    }
}
