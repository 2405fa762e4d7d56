//! `ignition validate|merge|upgrade|show|identity`: what is wrong with a config, what becomes of
//! several, and what a machine will get. Both languages are taken; Butane is converted first.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use embed::config::{Loaded, Written};
use embed::schema::{EXPERIMENTAL, Minor, NEWEST, version};

use super::config::{self, Desk, FindingArgs, InputArgs, JsonTo, OutputArgs};
use super::{CliError, files};
use crate::ui;

/// Subcommands of `ignition`.
#[derive(Debug, Subcommand)]
pub(super) enum IgnitionCommand {
    /// Check configs, each on its own
    #[command(after_help = "Examples:\n  \
        coreos-installer ignition validate machine.ign\n  \
        coreos-installer ignition validate --strict -d . *.bu\n  \
        coreos-installer ignition validate --json - < machine.ign")]
    Validate(ValidateArgs),
    /// Merge configs, the later over the earlier
    ///
    /// The machine would do the same with `ignition.config.merge`. The result has the newest
    /// spec of them all, and is checked again.
    #[command(after_help = "Example:\n  \
        coreos-installer ignition merge -o node7.ign base.ign role.bu node7.ign")]
    Merge(MergeArgs),
    /// Bring a config to a newer spec
    Upgrade(UpgradeArgs),
    /// Print the config that a machine will get
    ///
    /// Configs in `data:` URLs are merged in, as the machine does it. What needs the network
    /// is listed on standard error.
    Show(ShowArgs),
    /// Print the sha512 digest of the config that a machine will get
    ///
    /// It is the digest of the bytes that `install`, `iso` and `pxe` commands deliver, and that
    /// the server sends: those of an Ignition config as they are; those that are made of a
    /// Butane config or of several configs.
    Identity(IdentityArgs),
}

/// Options of `ignition validate`.
#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Ignition or Butane configs [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

/// Options of `ignition merge`.
#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Ignition or Butane configs, the first below
    #[arg(value_name = "CONFIG", required = true, value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

/// Options of `ignition upgrade`.
#[derive(Args, Debug)]
pub(super) struct UpgradeArgs {
    /// Spec to upgrade to [default: 3.6.0]
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    to: Option<Minor>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Ignition or Butane config [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
}

/// Options of `ignition show`.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Ignition or Butane configs, merged in order [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

/// Options of `ignition identity`.
#[derive(Args, Debug)]
pub(super) struct IdentityArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Ignition or Butane configs, merged in order [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

impl IgnitionCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Validate(args) => args.run(),
            Self::Merge(args) => args.run(),
            Self::Upgrade(args) => args.run(),
            Self::Show(args) => args.run(),
            Self::Identity(args) => args.run(),
        }
    }
}

impl ValidateArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?;
        desk.read_all(&self.configs, Written::Ignition)?;
        desk.settle(&self.findings, JsonTo::Stdout)
    }
}

impl MergeArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?;
        let merged = desk.read_merged(&self.configs, Written::Ignition)?;
        deliver(desk, merged, &self.findings, &self.output)
    }
}

impl UpgradeArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?;
        let config: Vec<PathBuf> = self.config.into_iter().collect();
        let read = desk.read_merged(&config, Written::Ignition)?;
        let upgraded = match read {
            Some(read) => desk.upgraded(read, self.to.unwrap_or(NEWEST))?,
            None => None,
        };
        deliver(desk, upgraded, &self.findings, &self.output)
    }
}

impl ShowArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?;
        let read = desk.read_merged(&self.configs, Written::Ignition)?;
        let rendered = match read {
            Some(read) => desk.rendered(read)?,
            None => None,
        };
        let (config, needs) = rendered.unzip();
        let shown = deliver(desk, config, &self.findings, &self.output);
        if shown.is_ok() {
            ui::show(&needs.unwrap_or_default());
        }
        shown
    }
}

impl IdentityArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?;
        let read = desk.read_merged(&self.configs, Written::Ignition)?;
        desk.settle(&self.findings, JsonTo::Stderr)?;
        let identity = read.map(|read| format!("{}\n", read.config.identity()));
        files::report(identity.unwrap_or_default().as_bytes())
    }
}

/// Shows what was found, and writes the result if that is no failure.
fn deliver(
    desk: Desk,
    made: Option<Loaded>,
    findings: &FindingArgs,
    output: &OutputArgs,
) -> Result<()> {
    let json = if output.is_file() {
        JsonTo::Stdout
    } else {
        JsonTo::Stderr
    };
    desk.settle(findings, json)?;
    made.map_or(Ok(()), |made| {
        output.write(&config::text(&made, output.pretty))
    })
}

/// Reads the version of a spec.
fn parse_version(text: &str) -> Result<Minor, CliError> {
    let known = |minor: &Minor| version(*minor) == text;
    (0..=EXPERIMENTAL)
        .find(known)
        .ok_or_else(|| CliError::NoSpec(text.to_owned()))
}
