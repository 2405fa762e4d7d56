//! `iso …`: edits and reports of CoreOS live ISO images. The formats are `embed::iso`'s; here are
//! the commands' promises: what is refused, and where the edited image goes.

mod customize;
mod deprecated;
mod extract;
mod ignition;
mod kargs;
mod minimal;
mod network;

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::iso::{LiveIso, Region, apply_in_place, copy_with};

use super::files::{self, Destination};

/// Subcommands of `iso`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IsoCommand {
    /// Customize the live system and what it installs
    Customize(Box<customize::CustomizeArgs>),
    /// Embed an Ignition config for the live system
    #[command(subcommand)]
    Ignition(ignition::IgnitionCommand),
    /// Embed network settings for the live system
    #[command(subcommand)]
    Network(network::NetworkCommand),
    /// Change the live system's kernel arguments
    #[command(subcommand)]
    Kargs(kargs::KargsCommand),
    /// Take files and smaller images out of an image
    #[command(subcommand)]
    Extract(extract::ExtractCommand),
    /// Restore the pristine image
    Reset(EditArgs),
    /// Embed an Ignition config (deprecated)
    #[command(hide = true)]
    Embed(deprecated::OldEmbedArgs),
    /// Print the Ignition config (deprecated)
    #[command(hide = true)]
    Show(ShowArgs),
    /// Remove the Ignition config (deprecated)
    #[command(hide = true)]
    Remove(EditArgs),
}

impl IsoCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Customize(args) => args.run(),
            Self::Ignition(command) => command.run(),
            Self::Network(command) => command.run(),
            Self::Kargs(command) => command.run(),
            Self::Extract(command) => command.run(),
            Self::Reset(args) => reset(args),
            Self::Embed(args) => args.run(),
            Self::Show(args) => deprecated::show(&args),
            Self::Remove(args) => deprecated::remove(args),
        }
    }
}

/// The image that a command edits, and where the result goes.
#[derive(Args, Debug)]
pub(in crate::cli) struct EditArgs {
    /// Write the image to a new file, or `-` for standard output
    ///
    /// Without this option the image is edited in place.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Live ISO image
    #[arg(value_name = "ISO", value_hint = ValueHint::FilePath)]
    input: PathBuf,
}

/// The image that a command reports on.
#[derive(Args, Debug)]
pub(in crate::cli) struct ShowArgs {
    /// Live ISO image
    #[arg(value_name = "ISO", value_hint = ValueHint::FilePath)]
    input: PathBuf,
}

impl EditArgs {
    fn open(&self) -> Result<LiveIso<File>> {
        open(&self.input)
    }

    /// Writes the image with `regions` changed to where it shall go.
    fn save(self, iso: LiveIso<File>, regions: &[Region]) -> Result<()> {
        let name = || format!("writing ISO image {}", self.input.display());
        let mut file = iso.into_inner();
        file.seek(SeekFrom::Start(0)).with_context(name)?;
        match self.output.into() {
            Destination::InPlace => {
                let output = OpenOptions::new()
                    .write(true)
                    .open(&self.input)
                    .with_context(name)?;
                apply_in_place(&output, regions).with_context(name)?;
                output.sync_all().with_context(name)
            }
            Destination::Stdout => copy_with(file, files::binary_stdout()?, regions)
                .context("writing to standard output"),
            Destination::NewFile(path) => files::create_new(&path, |output| {
                let mode = file.metadata().with_context(name)?.permissions();
                copy_with(file, &*output, regions).with_context(name)?;
                output.set_permissions(mode).with_context(name)
            }),
        }
    }
}

impl ShowArgs {
    fn open(&self) -> Result<LiveIso<File>> {
        open(&self.input)
    }
}

fn reset(args: EditArgs) -> Result<()> {
    let iso = args.open()?;
    let regions = iso.reset()?;
    args.save(iso, &regions)
}

pub(super) fn open(path: &Path) -> Result<LiveIso<File>> {
    let name = || format!("opening ISO image {}", path.display());
    let file = File::open(path).with_context(name)?;
    LiveIso::open(file).with_context(name)
}
