//! Options of every command that takes configs: where local files are, and what variables stand
//! for. Files and the environment are read here, and only as named.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::butane::FilesDir;
use embed::tree::variables::{VariableError, split_assignment};

use super::super::files;
use super::Desk;
use crate::plan::Variables;

/// Options about the configs that are read.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct InputArgs {
    /// Directory of the local files that Butane configs name
    #[arg(short = 'd', long, value_name = "DIR", help_heading = "Input",
          value_hint = ValueHint::DirPath)]
    files_dir: Option<PathBuf>,
    #[command(flatten)]
    variables: VariableArgs,
    /// Take experimental versions too, which may change any day
    #[arg(long, help_heading = "Input")]
    experimental: bool,
}

/// Options about the variables of Butane configs.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct VariableArgs {
    /// Put VALUE where Butane configs say ${{ NAME }} [repeatable]
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Input", value_parser = assignment)]
    set: Vec<String>,
    /// Take variables from a YAML file [repeatable]
    ///
    /// A map within a map gives variables whose names are joined by a dot. Of several values
    /// the last wins: files, then --env, then --secret, then --set.
    #[arg(long, value_name = "FILE", help_heading = "Input", value_hint = ValueHint::FilePath)]
    vars: Vec<PathBuf>,
    /// Take a variable of this name from the environment [repeatable]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    env: Vec<String>,
    /// Take a variable from a file, and show its value nowhere [repeatable]
    #[arg(long, value_name = "NAME=FILE", help_heading = "Input", value_parser = assignment)]
    secret: Vec<String>,
}

impl From<Variables> for VariableArgs {
    fn from(variables: Variables) -> Self {
        Self {
            set: variables.set,
            vars: variables.files,
            env: variables.environment,
            secret: variables.secrets,
        }
    }
}

impl From<VariableArgs> for Variables {
    fn from(args: VariableArgs) -> Self {
        Self {
            set: args.set,
            files: args.vars,
            environment: args.env,
            secrets: args.secret,
        }
    }
}

impl InputArgs {
    /// A desk with what these options name.
    pub(in crate::cli) fn desk(&self) -> Result<Desk> {
        let files = self.files_dir.as_ref().map(FilesDir::open).transpose()?;
        let mut desk = Desk {
            files,
            experimental: self.experimental,
            ..Desk::default()
        };
        self.variables.set_in(&mut desk)?;
        Ok(desk)
    }
}

impl VariableArgs {
    /// Gives the variables to a desk.
    pub(super) fn set_in(&self, desk: &mut Desk) -> Result<()> {
        for path in &self.vars {
            let text = text(path)?;
            let source = desk
                .sources
                .add(path.display().to_string(), text.as_str())?;
            if let Err(finding) = desk.variables.add_file(source, &text) {
                desk.findings.add(finding);
            }
        }
        for name in &self.env {
            let lookup = |name: &str| std::env::var(name).ok();
            desk.variables.set_from_environment(name, lookup)?;
        }
        for assignment in &self.secret {
            let (name, path) = split_assignment(assignment)?;
            desk.variables.set_secret(name, &text(Path::new(path))?)?;
        }
        for assignment in &self.set {
            desk.variables.assign(assignment)?;
        }
        Ok(())
    }
}

/// Takes an assignment whose form is right, as it is.
fn assignment(text: &str) -> Result<String, VariableError> {
    split_assignment(text).map(|_| text.to_owned())
}

/// The text of a file of variables.
fn text(path: &Path) -> Result<String> {
    let bytes = files::read_config(Some(path))?;
    String::from_utf8(bytes).with_context(|| format!("reading {}", path.display()))
}
