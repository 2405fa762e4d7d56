//! Configs on their way to a machine: checked and, if they are Butane, converted by every command
//! that puts one on a disk, an ISO or in an initrd.
//!
//! Ignition is handed on byte for byte. Whether errors stop the command is the command's choice.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::butane::FilesDir;
use embed::config::Written;
use embed::ignition::Config;

use super::super::{CliError, files};
use super::findings::{Count, FormArgs, JsonTo};
use super::options::VariableArgs;
use super::{Desk, STDIN};
use crate::ui;

/// Options of commands that deliver a config.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct DeliveryArgs {
    /// Directory of the local files that Butane configs name
    #[arg(long, value_name = "DIR", help_heading = "Config checks", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) files_dir: Option<PathBuf>,
    /// Take configs as they are: check and convert nothing
    #[arg(long, help_heading = "Config checks")]
    pub(in crate::cli) no_validate: bool,
    #[command(flatten)]
    pub(in crate::cli) variables: VariableArgs,
}

/// What becomes of an Ignition config with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Doubt {
    /// It is refused.
    Refuse,
    /// It is delivered, since machines may know better.
    Deliver,
}

impl DeliveryArgs {
    /// Reads the config for a live system at `path`, or from standard input.
    pub(in crate::cli) fn read(&self, path: Option<&Path>) -> Result<Config> {
        let name = path.map_or_else(|| STDIN.to_owned(), |path| path.display().to_string());
        self.take(&name, files::read_config(path)?, Doubt::Deliver)
    }

    /// What a machine gets for `bytes`, which the user calls `name`. Shows what is found.
    pub(in crate::cli) fn take(&self, name: &str, bytes: Vec<u8>, doubt: Doubt) -> Result<Config> {
        if self.no_validate {
            return Ok(Config::unchecked(bytes));
        }
        let mut desk = self.desk()?;
        let convertible = Written::of(&bytes, Written::Ignition) == Written::Butane;
        let loaded = desk.take(name, bytes.clone(), Written::Ignition);
        let errors = show(desk)?;
        match loaded {
            Some(loaded) => Ok(loaded.config),
            None if doubt == Doubt::Deliver && !convertible => {
                ui::warn("the config is embedded as it is, errors included");
                Ok(Config::unchecked(bytes))
            }
            None => Err(errors).with_context(|| format!("parsing Ignition config {name}")),
        }
    }

    /// What a machine gets for several configs with their names, each merged over those before it.
    /// Shows what is found.
    pub(in crate::cli) fn merge(&self, configs: Vec<(String, Vec<u8>)>) -> Result<Config> {
        let mut desk = self.desk()?;
        let names: Vec<String> = configs.iter().map(|(name, _)| name.clone()).collect();
        let loaded: Vec<_> = configs
            .into_iter()
            .map(|(name, bytes)| desk.take(&name, bytes, Written::Ignition))
            .collect();
        let merged = match loaded.into_iter().collect::<Option<Vec<_>>>() {
            Some(all) => desk.merged(all)?,
            None => None,
        };
        let errors = show(desk)?;
        let merged = merged.map(|loaded| loaded.config).ok_or(errors);
        merged.with_context(|| format!("parsing Ignition configs {}", names.join(", ")))
    }

    fn desk(&self) -> Result<Desk> {
        let files = self.files_dir.as_ref().map(FilesDir::open).transpose()?;
        let mut desk = Desk {
            files,
            ..Desk::default()
        };
        self.variables.set_in(&mut desk)?;
        Ok(desk)
    }
}

/// Shows what was found, and gives the error for the case that it makes one.
fn show(desk: Desk) -> Result<CliError> {
    let findings = desk.findings.into_sorted();
    let form = FormArgs::default();
    form.show(&findings, &desk.sources, &desk.variables, JsonTo::Stderr)?;
    let count = Count::of(&findings);
    Ok(CliError::Undeliverable { count })
}
