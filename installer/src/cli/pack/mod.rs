//! `pack …`: images for the fast way in; hidden, files that a package ships, made from the
//! definition of the commands, and what an OS build puts into its media.

mod example_config;
mod image;
mod minimal_iso;
mod osmet;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Command, Subcommand, ValueHint};
use clap_complete::Shell;

use super::files;

const NAME: &str = "coreos-installer";

/// Subcommands of `pack`.
#[derive(Debug, Subcommand)]
pub(super) enum PackCommand {
    /// Make an image that installs in parallel, and the list that is signed
    ///
    /// Writes NAME.raw.zst, which any zstd reads, and NAME.chunks.json, the chunk manifest: where
    /// each part of the image is, and its digests. With both, `install` checks every part before
    /// it writes it, on all processors, and goes on at a part when a transfer breaks off.
    #[command(after_help = image::EXAMPLES)]
    Image(image::ImageArgs),
    /// Write a man page for each command
    #[command(hide = true)]
    Man {
        /// Directory to write to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Write completions for bash, zsh and fish
    #[command(hide = true)]
    Completions {
        /// Directory to write to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Print a config file of `install` with every key
    #[command(hide = true)]
    ExampleConfig,
    /// Describe an image by the OSTree objects on it
    #[command(hide = true)]
    Osmet(osmet::OsmetArgs),
    /// Describe a minimal ISO image inside of the full one
    #[command(hide = true)]
    MinimalIso(minimal_iso::MinimalIsoArgs),
}

impl PackCommand {
    pub(super) fn run(self, cli: &Command) -> Result<()> {
        match self {
            Self::Image(args) => args.run(),
            Self::Man { dir } => {
                create(&dir)?;
                clap_mangen::generate_to(cli.clone(), &dir)
                    .with_context(|| format!("writing man pages to {}", dir.display()))
            }
            Self::Completions { dir } => {
                create(&dir)?;
                completions(cli.clone(), &dir)
            }
            Self::ExampleConfig => files::report(example_config::text(cli).as_bytes()),
            Self::Osmet(args) => args.run(),
            Self::MinimalIso(args) => args.run(),
        }
    }
}

fn create(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))
}

fn completions(mut cli: Command, dir: &Path) -> Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli, NAME, dir)
            .with_context(|| format!("writing completions for {shell} to {}", dir.display()))?;
    }
    Ok(())
}
