//! `butane [convert|check|schema]`: Butane configs to the JSON that a machine reads, with the
//! options of the original `butane`; several configs are merged in order.
//!
//! What the options mean for a config is `embed::butane`'s business.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use embed::config::Written;

use super::config::{self, FindingArgs, InputArgs, JsonTo, OutputArgs};
use super::schema::SchemaArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  Convert a config:
    coreos-installer butane --strict -o machine.ign machine.bu
  Merge two, with local files and a variable:
    coreos-installer butane -d . --set host=node7 -o node7.ign base.bu role.bu
  Check only, for a program:
    coreos-installer butane check --json machine.bu
  Let an editor complete and check:
    coreos-installer butane schema --all schemas/";

/// Options of `butane`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ButaneArgs {
    #[command(subcommand)]
    command: Option<ButaneCommand>,
    #[command(flatten)]
    convert: ConvertArgs,
}

/// Subcommands of `butane`.
#[derive(Debug, Subcommand)]
enum ButaneCommand {
    /// Convert configs; `butane CONFIG` does the same
    Convert(ConvertArgs),
    /// Check configs without converting them
    Check(CheckArgs),
    /// Print the JSON Schema of a variant and version, for editors
    Schema(SchemaArgs),
}

/// Options of `butane convert`.
#[derive(Args, Debug)]
struct ConvertArgs {
    /// Check only: write nothing
    #[arg(short, long, conflicts_with = "output")]
    check: bool,
    /// Never wrap the result in a MachineConfig (openshift)
    #[arg(short, long)]
    raw: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Butane configs, merged in order [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

/// Options of `butane check`.
#[derive(Args, Debug)]
struct CheckArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    findings: FindingArgs,
    /// Butane configs, merged in order [default: standard input]
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    configs: Vec<PathBuf>,
}

impl ButaneArgs {
    pub(super) fn run(self) -> Result<()> {
        match self.command {
            None => self.convert.run(),
            Some(ButaneCommand::Convert(args)) => args.run(),
            Some(ButaneCommand::Check(args)) => args.run(),
            Some(ButaneCommand::Schema(args)) => args.run(),
        }
    }
}

impl ConvertArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?.wrapping(!self.raw);
        let made = desk.read_merged(&self.configs, Written::Butane)?;
        let json = if self.check || self.output.is_file() {
            JsonTo::Stdout
        } else {
            JsonTo::Stderr
        };
        desk.settle(&self.findings, json)?;
        match made {
            Some(made) if !self.check => {
                self.output.write(&config::text(&made, self.output.pretty))
            }
            _ => Ok(()),
        }
    }
}

impl CheckArgs {
    fn run(self) -> Result<()> {
        let mut desk = self.input.desk()?.wrapping(true);
        desk.read_merged(&self.configs, Written::Butane)?;
        desk.settle(&self.findings, JsonTo::Stdout)
    }
}
