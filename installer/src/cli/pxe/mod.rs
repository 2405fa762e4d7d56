//! `pxe …`: initrds that are loaded beside the live initramfs, and initramfs images that carry the
//! same things themselves.

mod customize;
mod ignition;
mod network;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::initrd::Archive;

use super::files::{self, Destination};

/// Subcommands of `pxe`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PxeCommand {
    /// Customize the live system and what it installs
    Customize(Box<customize::CustomizeArgs>),
    /// Wrap an Ignition config in an initrd
    #[command(subcommand)]
    Ignition(ignition::IgnitionCommand),
    /// Wrap network settings in an initrd
    #[command(subcommand)]
    Network(network::NetworkCommand),
}

impl PxeCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Customize(args) => args.run(),
            Self::Ignition(command) => command.run(),
            Self::Network(command) => command.run(),
        }
    }
}

/// Where a new initrd goes.
#[derive(Args, Debug)]
pub(in crate::cli) struct Output {
    /// Initrd to write [default: standard output]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

impl Output {
    /// Looks whether the initrd can be written there, before anything is read for it.
    fn open(&self) -> Result<OpenOutput> {
        let output = self.output.clone();
        Ok(match output.map(|path| Destination::from(Some(path))) {
            Some(Destination::NewFile(path)) => OpenOutput::File(path),
            _ => OpenOutput::Stdout(files::binary_stdout()?),
        })
    }
}

/// Where a new initrd goes, and may go.
enum OpenOutput {
    File(PathBuf),
    Stdout(File),
}

impl OpenOutput {
    /// Writes `archive` as an initrd; a file that is there is replaced.
    fn write(self, archive: &Archive) -> Result<()> {
        let initrd = archive.to_xz_cpio().context("making an initrd")?;
        match self {
            Self::File(path) => {
                files::create_or_replace(&path, |file| Ok(file.write_all(&initrd)?))
            }
            Self::Stdout(mut stdout) => stdout
                .write_all(&initrd)
                .context("writing to standard output"),
        }
    }
}
