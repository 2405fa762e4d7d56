//! `pxe network wrap|unwrap`: network keyfiles as an initrd that is loaded beside the live
//! initramfs.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::initrd::{Archive, Limits};
use embed::network;

use super::super::{files, keyfiles};
use super::Output;

/// Subcommands of `pxe network`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NetworkCommand {
    /// Make an initrd that holds network keyfiles
    #[command(after_help = "Example:\n  \
        coreos-installer pxe network wrap -k static-ip.nmconnection -o network.img\n\n\
        Load the result after the live initramfs.")]
    Wrap(WrapArgs),
    /// Print the keyfiles of an initrd, or write them to a directory
    Unwrap(UnwrapArgs),
}

/// Options of `pxe network wrap`.
#[derive(Args, Debug)]
pub(in crate::cli) struct WrapArgs {
    /// NetworkManager keyfile, stored by its own name [repeatable]
    #[arg(short, long, required = true, value_name = "PATH", value_hint = ValueHint::FilePath)]
    keyfile: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Options of `pxe network unwrap`.
#[derive(Args, Debug)]
pub(in crate::cli) struct UnwrapArgs {
    /// Write the keyfiles to this directory, and print their paths
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: Option<PathBuf>,
    /// Initrd to read [default: standard input]
    #[arg(value_name = "INITRD", value_hint = ValueHint::FilePath)]
    initrd: Option<PathBuf>,
}

impl NetworkCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Wrap(args) => wrap(&args),
            Self::Unwrap(args) => unwrap(&args),
        }
    }
}

fn wrap(args: &WrapArgs) -> Result<()> {
    let output = args.output.open()?;
    let mut archive = Archive::default();
    keyfiles::insert(&mut archive, &args.keyfile)?;
    output.write(&archive)
}

fn unwrap(args: &UnwrapArgs) -> Result<()> {
    let path = args.initrd.as_deref();
    let name = path.unwrap_or(Path::new("standard input"));
    let input = BufReader::new(files::open_or_stdin(path)?);
    let archive = Archive::read_matching(input, Limits::IMAGE, network::is_keyfile)
        .with_context(|| format!("reading initrd {}", name.display()))?;
    keyfiles::extract(&archive, args.directory.as_deref(), name)
}
