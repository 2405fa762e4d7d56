//! `--log-file`: everything that is said on standard error, with the time, whatever form progress
//! has on the terminal. A log that cannot be written to any more is no reason to stop.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;
use jiff::{Timestamp, Unit};

static LOG: OnceLock<File> = OnceLock::new();

/// Appends what is said from now on to the file at `path`.
pub(crate) fn log_to(path: &Path) -> anyhow::Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening log file {}", path.display()))?;
    // Set once: there is one command line.
    let _ = LOG.set(file);
    Ok(())
}

/// Whether there is a log.
pub(super) fn is_on() -> bool {
    LOG.get().is_some()
}

/// Writes the lines of `text`, each with the time.
pub(super) fn write(text: &str) {
    if let Some(mut file) = LOG.get() {
        let now = Timestamp::now();
        let lines = stamped(text, &now.round(Unit::Second).unwrap_or(now).to_string());
        // One write, so that lines of several programs do not mix.
        let _ = file.write_all(lines.as_bytes());
    }
}

fn stamped(text: &str, time: &str) -> String {
    text.lines()
        .map(|line| format!("{time} {line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_time() {
        assert_eq!(
            stamped("error: a\ncause: b\n", "T"),
            "T error: a\nT cause: b\n"
        );
        assert_eq!(stamped("", "T"), "");
    }
}
