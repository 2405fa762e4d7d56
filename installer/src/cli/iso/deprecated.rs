//! `iso embed|show|remove`: the spellings of early releases, which scripts still use.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};

use super::super::config::DeliveryArgs;
use super::ignition::{self, EmbedArgs};
use super::{EditArgs, ShowArgs};
use crate::ui;

/// Options of `iso embed`.
#[derive(Args, Debug)]
pub(in crate::cli) struct OldEmbedArgs {
    /// Ignition config [default: standard input]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Replace a config that is embedded already
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    edit: EditArgs,
}

impl OldEmbedArgs {
    pub(super) fn run(self) -> Result<()> {
        notice("embed");
        ignition::embed(EmbedArgs {
            config: DeliveryArgs::default(),
            force: self.force,
            ignition_file: self.config,
            edit: self.edit,
        })
    }
}

pub(super) fn show(args: &ShowArgs) -> Result<()> {
    notice("show");
    ignition::show(args)
}

pub(super) fn remove(args: EditArgs) -> Result<()> {
    notice("remove");
    ignition::remove(args)
}

fn notice(name: &str) {
    ui::warn(&format!(
        "`iso {name}` is deprecated; use `iso ignition {name}`"
    ));
}
