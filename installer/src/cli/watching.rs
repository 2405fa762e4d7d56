//! How the work of a command is watched: the options, and results in the form that fits them.
//! `install` has the same ones in [`crate::plan::Options`].

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;

use super::files;
use crate::plan::ProgressForm;
use crate::ui::{self, progress::Watcher};

/// How the work is shown.
#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// Append what is said to this file too, with the time
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    log_file: Option<PathBuf>,
    /// How progress is shown [default: auto]
    #[arg(long, value_name = "FORM", value_enum)]
    progress: Option<ProgressForm>,
}

impl WatchArgs {
    /// Opens the log, if there is to be one; who watches the work.
    pub(super) fn start(&self) -> Result<Watcher> {
        if let Some(path) = &self.log_file {
            ui::log_to(path)?;
        }
        Ok(Watcher::new(self.progress.unwrap_or(ProgressForm::Auto)))
    }
}

/// In which form a command has its result printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultForm {
    Text,
    Json,
}

impl ResultForm {
    /// What `--json` means.
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Prints a result: as the last line where progress is JSON, else in `form`.
pub(super) fn report<T: Serialize>(
    watcher: &Watcher,
    result: &T,
    form: ResultForm,
    text: impl FnOnce(&T) -> String,
) -> Result<()> {
    if watcher.result(result)? {
        return Ok(());
    }
    match form {
        ResultForm::Json => files::report_json(result),
        ResultForm::Text => files::report(text(result).as_bytes()),
    }
}

/// The result of a command that made files.
#[derive(Serialize)]
pub(super) struct Files {
    /// Their paths.
    pub(super) files: Vec<PathBuf>,
}

impl Files {
    /// A line each.
    pub(super) fn text(&self) -> String {
        let line = |path: &PathBuf| format!("{}\n", path.display());
        self.files.iter().map(line).collect()
    }
}
