//! `pack …`: files that a package ships, made from the definition of the commands, and what an OS
//! build puts into its media.

mod minimal_iso;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Command, Subcommand, ValueHint};
use clap_complete::Shell;

const NAME: &str = "coreos-installer";

/// Subcommands of `pack`.
#[derive(Debug, Subcommand)]
pub(super) enum PackCommand {
    /// Write a man page for each command
    Man {
        /// Directory to write to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Write completions for bash, zsh and fish
    Completions {
        /// Directory to write to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Describe a minimal ISO image inside of the full one
    MinimalIso(minimal_iso::MinimalIsoArgs),
}

impl PackCommand {
    pub(super) fn run(self, cli: &Command) -> Result<()> {
        match self {
            Self::Man { dir } => {
                create(&dir)?;
                clap_mangen::generate_to(cli.clone(), &dir)
                    .with_context(|| format!("writing man pages to {}", dir.display()))
            }
            Self::Completions { dir } => {
                create(&dir)?;
                completions(cli.clone(), &dir)
            }
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
