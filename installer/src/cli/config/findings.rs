//! How findings reach the user: excerpts, one line each, or JSON; and whether they make a failure.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use embed::finding::{Color, Finding, Findings, Renderer, Severity};
use embed::tree::Sources;
use embed::tree::variables::Variables;

use super::super::{CliError, files};
use crate::ui;

/// Options of commands that check configs.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct FindingArgs {
    /// Fail on warnings too
    #[arg(short, long)]
    pub(in crate::cli) strict: bool,
    #[command(flatten)]
    pub(in crate::cli) form: FormArgs,
}

/// How findings are shown.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct FormArgs {
    /// Show what is found as one JSON document
    ///
    /// It goes to standard output where that holds no other result, else to standard error.
    #[arg(long, help_heading = "Findings")]
    json: bool,
    /// Show what is found in one line each
    #[arg(long, help_heading = "Findings", conflicts_with = "json")]
    raw_errors: bool,
    /// Color what is found
    #[arg(long, value_name = "WHEN", value_enum, help_heading = "Findings",
          num_args = 0..=1, require_equals = true, default_value = "auto",
          default_missing_value = "always")]
    color: When,
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where JSON goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum JsonTo {
    /// Standard output, which holds nothing else.
    Stdout,
    /// Standard error, since the result is on standard output.
    Stderr,
}

impl FindingArgs {
    /// Shows the findings; an error if they make one.
    pub(in crate::cli) fn settle(
        &self,
        findings: Findings,
        sources: &Sources,
        variables: &Variables,
        json: JsonTo,
    ) -> Result<()> {
        let findings = findings.into_sorted();
        self.form.show(&findings, sources, variables, json)?;
        let count = Count::of(&findings);
        if count.errors == 0 && !(self.strict && count.warnings > 0) {
            return Ok(());
        }
        Err(if self.form.is_for_people() {
            CliError::Refused { count }.into()
        } else {
            CliError::Told.into()
        })
    }
}

impl FormArgs {
    /// Shows the findings.
    pub(in crate::cli) fn show(
        &self,
        findings: &[Finding],
        sources: &Sources,
        variables: &Variables,
        json: JsonTo,
    ) -> Result<()> {
        let redact = |text: &str| variables.redact(text);
        let renderer = Renderer::new(sources).redacting(&redact);
        if self.json {
            let report = renderer.report(findings);
            let mut text = serde_json::to_string_pretty(&report).context("writing findings")?;
            text.push('\n');
            match json {
                JsonTo::Stdout => return files::report(text.as_bytes()),
                JsonTo::Stderr => ui::show(&text),
            }
        } else if self.raw_errors {
            let lines = findings.iter().map(|finding| renderer.line(finding) + "\n");
            ui::show(&lines.collect::<String>());
        } else {
            let color = self.color.on_stderr();
            let excerpts = findings.iter();
            let excerpts = excerpts.map(|finding| renderer.excerpt(finding, color) + "\n");
            ui::show(&excerpts.collect::<String>());
        }
        Ok(())
    }

    fn is_for_people(&self) -> bool {
        !self.json && !self.raw_errors
    }
}

impl When {
    fn on_stderr(self) -> Color {
        let wanted = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                io::stderr().is_terminal() && !set("NO_COLOR")
            }
        };
        if wanted { Color::Ansi } else { Color::Off }
    }
}

/// How many there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
}

impl Count {
    pub(super) fn of(findings: &[Finding]) -> Self {
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        let warnings = findings.len() - errors;
        Self { errors, warnings }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        for (count, one, many) in [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
        ] {
            match count {
                0 => {}
                1 => parts.push(format!("1 {one}")),
                _ => parts.push(format!("{count} {many}")),
            }
        }
        f.write_str(&parts.join(", "))
    }
}
