//! `iso network embed|extract|remove`: network keyfiles in the embed area. An Ignition config in
//! the same area stays as it is.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use embed::network;

use super::super::media::MediaError;
use super::super::{CliError, keyfiles};
use super::{EditArgs, ShowArgs};

/// Subcommands of `iso network`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NetworkCommand {
    /// Embed network keyfiles in an ISO image
    #[command(after_help = "Example:\n  \
        coreos-installer iso network embed -k static-ip.nmconnection live.iso")]
    Embed(EmbedArgs),
    /// Print the keyfiles of an ISO image, or write them to a directory
    Extract(ExtractArgs),
    /// Remove the keyfiles from an ISO image
    Remove(EditArgs),
}

/// Options of `iso network embed`.
#[derive(Args, Debug)]
pub(in crate::cli) struct EmbedArgs {
    /// NetworkManager keyfile, stored by its own name [repeatable]
    #[arg(short, long, required = true, value_name = "PATH", value_hint = ValueHint::FilePath)]
    keyfile: Vec<PathBuf>,
    /// Replace the keyfiles that are embedded already
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    edit: EditArgs,
}

/// Options of `iso network extract`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExtractArgs {
    /// Write the keyfiles to this directory, and print their paths
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: Option<PathBuf>,
    #[command(flatten)]
    show: ShowArgs,
}

impl NetworkCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Embed(args) => embed(args),
            Self::Extract(args) => extract(&args),
            Self::Remove(args) => remove(args),
        }
    }
}

fn embed(args: EmbedArgs) -> Result<()> {
    let mut iso = args.edit.open()?;
    if !iso.features().live_initrd_network {
        return Err(CliError::NoFeature {
            what: "network settings",
        }
        .into());
    }
    let mut archive = iso.embedded()?;
    if network::is_configured(&archive) && !args.force {
        return Err(MediaError::NetworkEmbedded {
            path: args.edit.input,
        }
        .into());
    }
    network::remove(&mut archive);
    keyfiles::insert(&mut archive, &args.keyfile)?;
    let region = iso.embed(&archive)?;
    args.edit.save(iso, &[region])
}

fn extract(args: &ExtractArgs) -> Result<()> {
    let archive = args.show.open()?.embedded()?;
    keyfiles::extract(&archive, args.directory.as_deref(), &args.show.input)
}

fn remove(args: EditArgs) -> Result<()> {
    let mut iso = args.open()?;
    let mut archive = iso.embedded()?;
    network::remove(&mut archive);
    let region = iso.embed(&archive)?;
    args.save(iso, &[region])
}
