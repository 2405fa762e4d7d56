//! The log: lines on stderr, for people or for programs.

use clap::ValueEnum;
use tracing::Level;

/// Form of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogForm {
    /// A line of text for each event
    Plain,
    /// A JSON object for each event
    Json,
}

/// Starts logging for the whole process.
pub(super) fn start(form: LogForm, verbose: bool) {
    let level = if verbose { Level::DEBUG } else { Level::INFO };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    match form {
        LogForm::Plain => log.init(),
        LogForm::Json => log.json().init(),
    }
}
