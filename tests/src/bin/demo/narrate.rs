//! What the person at the terminal reads: lines with the elapsed time and whom they are about,
//! and errors in three lines. The same text goes to `demo.log`.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Writes the story.
#[derive(Debug)]
pub(crate) struct Narrator {
    start: Instant,
    before: Duration,
    log: Mutex<File>,
}

impl Narrator {
    /// Begins, or goes on `before` seconds into, the story in `LOGS/demo.log`.
    pub(crate) fn new(logs: &Path, before: u64) -> Result<Self> {
        let path = logs.join("demo.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        Ok(Self {
            start: Instant::now(),
            before: Duration::from_secs(before),
            log: Mutex::new(log),
        })
    }

    /// Time since the demo began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.before + self.start.elapsed()
    }

    /// Says what is happening to `who`.
    pub(crate) fn say(&self, who: &str, what: impl Display) {
        self.line(format_args!(
            "[{:4} s] {who:<6} {what}",
            self.elapsed().as_secs()
        ));
    }

    /// Prints a line as it is.
    pub(crate) fn line(&self, line: impl Display) {
        let text = format!("{line}\n");
        // A closed terminal is no reason to stop.
        let _ = std::io::stdout().write_all(text.as_bytes());
        if let Ok(mut log) = self.log.lock() {
            let _ = log.write_all(text.as_bytes());
        }
    }
}

/// Where the demo failed: its step, and the directory with everything it wrote.
#[derive(Debug, thiserror::Error)]
#[error("the demo failed while {step}")]
pub(crate) struct Failure {
    /// What it was doing.
    pub(crate) step: String,
    /// What to look at.
    pub(crate) hint: String,
    /// Why.
    #[source]
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

/// Attaches step and log directory to an error.
pub(crate) fn failing<T>(result: Result<T>, step: &str, logs: &Path) -> Result<T> {
    result.map_err(|error| {
        let hint = format!("logs are in {}", logs.display());
        Failure {
            step: step.to_owned(),
            hint,
            source: error.into(),
        }
        .into()
    })
}

/// Prints an error as what, why and what to do.
pub(crate) fn error(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    let mut text = format!("error: {error}\n");
    if !causes.is_empty() {
        text.push_str(&format!("cause: {}\n", causes.join(": ")));
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        text.push_str(&format!("hint:  {}\n", failure.hint));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
