//! `dev …`: what people look at who build or debug live media. Hidden, and as stable as upstream's.

mod extract;
mod fiemap;
mod initrd;
mod osmet;
mod show;

use anyhow::Result;
use clap::Subcommand;

/// Subcommands of `dev`.
#[derive(Debug, Subcommand)]
pub(super) enum DevCommand {
    /// Show what is in an image or initrd
    #[command(subcommand)]
    Show(show::ShowCommand),
    /// Extract files from an initrd, or the image that an osmet file describes
    #[command(subcommand)]
    Extract(extract::ExtractCommand),
}

impl DevCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Show(command) => command.run(),
            Self::Extract(command) => command.run(),
        }
    }
}
