//! `iso ignition embed|show|remove`: the live system's Ignition config in the embed area. Network
//! keyfiles in the same area stay as they are.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use embed::contract::initrd::CONFIG;

use super::super::config::DeliveryArgs;
use super::super::{CliError, files};
use super::{EditArgs, ShowArgs};

/// Subcommands of `iso ignition`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IgnitionCommand {
    /// Embed a config in an ISO image
    #[command(after_help = "Examples:\n  \
        coreos-installer iso ignition embed -i live.ign live.iso\n  \
        coreos-installer iso ignition embed -i live.ign -o mine.iso live.iso\n  \
        coreos-installer iso ignition embed -f live.iso < live.ign")]
    Embed(EmbedArgs),
    /// Print the config that is embedded in an ISO image
    Show(ShowArgs),
    /// Remove the config from an ISO image
    Remove(EditArgs),
}

/// Options of `iso ignition embed`.
#[derive(Args, Debug)]
pub(in crate::cli) struct EmbedArgs {
    /// Replace a config that is embedded already
    #[arg(short, long)]
    pub(super) force: bool,
    /// Ignition or Butane config [default: standard input]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(super) ignition_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) config: DeliveryArgs,
    #[command(flatten)]
    pub(super) edit: EditArgs,
}

impl IgnitionCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Embed(args) => embed(args),
            Self::Show(args) => show(&args),
            Self::Remove(args) => remove(args),
        }
    }
}

pub(super) fn embed(args: EmbedArgs) -> Result<()> {
    let mut iso = args.edit.open()?;
    let mut archive = iso.embedded()?;
    if archive.get(CONFIG).is_some() && !args.force {
        return Err(CliError::AlreadyEmbedded {
            path: args.edit.input,
        }
        .into());
    }
    let config = args.config.read(args.ignition_file.as_deref())?;
    archive.insert(CONFIG, config.bytes())?;
    let region = iso.embed(&archive)?;
    args.edit.save(iso, &[region])
}

pub(super) fn show(args: &ShowArgs) -> Result<()> {
    let archive = args.open()?.embedded()?;
    let config = archive.get(CONFIG).ok_or_else(|| CliError::NotEmbedded {
        path: args.input.clone(),
    })?;
    files::report(config)
}

pub(super) fn remove(args: EditArgs) -> Result<()> {
    let mut iso = args.open()?;
    let mut archive = iso.embedded()?;
    archive.remove(CONFIG);
    let region = iso.embed(&archive)?;
    args.save(iso, &[region])
}
