//! `pxe ignition wrap|unwrap`: a config as an initrd that is loaded beside the live initramfs.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::contract::initrd::CONFIG;
use embed::initrd::{Archive, Limits};

use super::super::config::DeliveryArgs;
use super::super::{CliError, files};
use super::Output;

/// Subcommands of `pxe ignition`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IgnitionCommand {
    /// Make an initrd that holds a config
    #[command(after_help = "Example:\n  \
        coreos-installer pxe ignition wrap -i live.ign -o live-config.img\n\n\
        Load the result after the live initramfs, and boot with the kernel\n\
        arguments `ignition.firstboot ignition.platform.id=metal`.")]
    Wrap(WrapArgs),
    /// Print the config that an initrd holds
    Unwrap(UnwrapArgs),
}

/// Options of `pxe ignition wrap`.
#[derive(Args, Debug)]
pub(in crate::cli) struct WrapArgs {
    /// Ignition or Butane config [default: standard input]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    ignition_file: Option<PathBuf>,
    #[command(flatten)]
    config: DeliveryArgs,
    #[command(flatten)]
    output: Output,
}

/// Options of `pxe ignition unwrap`.
#[derive(Args, Debug)]
pub(in crate::cli) struct UnwrapArgs {
    /// Initrd to read [default: standard input]
    #[arg(value_name = "INITRD", value_hint = ValueHint::FilePath)]
    initrd: Option<PathBuf>,
}

impl IgnitionCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Wrap(args) => wrap(&args),
            Self::Unwrap(args) => unwrap(args.initrd.as_deref()),
        }
    }
}

fn wrap(args: &WrapArgs) -> Result<()> {
    // Before reading, so that nobody types a config in vain.
    let output = args.output.open()?;
    let config = args.config.read(args.ignition_file.as_deref())?;
    let mut archive = Archive::default();
    archive.insert(CONFIG, config.bytes())?;
    output.write(&archive)
}

fn unwrap(path: Option<&Path>) -> Result<()> {
    let name = path.unwrap_or(Path::new("standard input"));
    let input = BufReader::new(files::open_or_stdin(path)?);
    let archive = Archive::read_matching(input, Limits::IMAGE, |path| path == CONFIG)
        .with_context(|| format!("reading initrd {}", name.display()))?;
    let config = archive.get(CONFIG).ok_or_else(|| CliError::NotEmbedded {
        path: name.to_owned(),
    })?;
    files::report(config)
}
