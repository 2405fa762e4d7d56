//! What the command shows: errors in three lines, warnings, progress. Standard output is left to
//! results and to `--progress json`; everything else goes to standard error.

mod error;
mod hints;
mod log;
pub(crate) mod progress;

use std::process::ExitCode;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::cancel::Cancel;
use crate::cli::CliError;

pub(crate) use log::log_to;

/// Exit status of a wrong command line or config file.
pub(crate) const USAGE: u8 = 2;

/// Shows an error, unless it was told already; gives the exit status that belongs to it.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    if !matches!(error.downcast_ref(), Some(CliError::Told)) {
        to_stderr(&error::render(error));
    }
    ExitCode::from(hints::exit_status(error))
}

/// Shows a warning.
pub(crate) fn warn(text: &str) {
    to_stderr(&format!("warning: {text}\n"));
}

/// Shows lines that are complete in themselves.
pub(crate) fn show(lines: &str) {
    to_stderr(lines);
}

/// Tells how things stand.
pub(crate) fn tell(text: &str) {
    to_stderr(&format!("{text}\n"));
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the command writes to standard error"
)]
fn to_stderr(text: &str) {
    eprint!("{text}");
    log::write(text);
}

/// A flag that SIGINT and SIGTERM set. A second signal ends the program at once: whenever that
/// is, the disk does not boot.
pub fn cancel_on_signals() -> anyhow::Result<Cancel> {
    let cancel = Cancel::new();
    for signal in [SIGINT, SIGTERM] {
        // First, so that it only sees the flag as an earlier signal left it.
        flag::register_conditional_shutdown(signal, 1, cancel.as_flag())
            .and_then(|_| flag::register(signal, cancel.as_flag()))
            .context("catching signals")?;
    }
    Ok(cancel)
}
