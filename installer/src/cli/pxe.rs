//! `pxe ignition wrap|unwrap`: a config as an initrd that is loaded beside the live initramfs.

use std::io::BufReader;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::contract::initrd::CONFIG;
use embed::initrd::{Archive, Limits};

use super::files::Destination;
use super::{CliError, files, notice};

/// Subcommands of `pxe`.
#[derive(Debug, Subcommand)]
pub(super) enum PxeCommand {
    /// Wrap an Ignition config in an initrd
    #[command(subcommand)]
    Ignition(IgnitionCommand),
}

/// Subcommands of `pxe ignition`.
#[derive(Debug, Subcommand)]
pub(super) enum IgnitionCommand {
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
pub(super) struct WrapArgs {
    /// Ignition config [default: standard input]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    ignition_file: Option<PathBuf>,
    /// Initrd to write [default: standard output]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// Options of `pxe ignition unwrap`.
#[derive(Args, Debug)]
pub(super) struct UnwrapArgs {
    /// Initrd to read [default: standard input]
    #[arg(value_name = "INITRD", value_hint = ValueHint::FilePath)]
    initrd: Option<PathBuf>,
}

impl PxeCommand {
    pub(super) fn run(self) -> Result<()> {
        let Self::Ignition(command) = self;
        match command {
            IgnitionCommand::Wrap(args) => wrap(args),
            IgnitionCommand::Unwrap(args) => unwrap(args.initrd.as_deref()),
        }
    }
}

fn wrap(args: WrapArgs) -> Result<()> {
    // Before reading, so that nobody types a config in vain.
    let stdout = match &args.output {
        Some(path) if Destination::from(Some(path.clone())) != Destination::Stdout => None,
        _ => Some(files::binary_stdout()?),
    };
    let config = files::read_config(args.ignition_file.as_deref())?;
    notice::warn_about_config(&config);
    let mut archive = Archive::default();
    archive.insert(CONFIG, config)?;
    let initrd = archive.to_xz_cpio().context("making an initrd")?;
    match (stdout, args.output) {
        (Some(mut stdout), _) => stdout
            .write_all(&initrd)
            .context("writing to standard output"),
        (None, Some(path)) => files::create_or_replace(&path, |file| Ok(file.write_all(&initrd)?)),
        (None, None) => Ok(()),
    }
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
