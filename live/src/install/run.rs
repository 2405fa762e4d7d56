//! Runs the installer and watches it: its JSON lines become console lines and reports, the end of
//! its error output becomes the reason when it fails.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use embed::contract::run::INSTALLER_D;
use embed::kargs::Kargs;
use embed::progress::Progress;
use embed::report::Event;

use super::arguments::{ArgumentsError, arguments, target};
use crate::console::Consoles;
use crate::report::{Outcome, Policy, Reporter};

const INSTALLER: &str = "/usr/bin/coreos-installer";
/// Progress is reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// Progress is printed in steps of this many per cent.
const PRINT_STEP: u8 = 10;
/// How long the end of an install may wait for its receiver before the machine goes on.
const LAST_REPORT: Duration = Duration::from_secs(300);
/// How long the target's driver may take to show it.
const TARGET_PATIENCE: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 40;
/// Longest line of the log that is kept, bytes; keeps a report well below its size limit.
const LOG_LINE_MAX: usize = 400;

/// Why the install did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// No target.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// The installer could not be started or read.
    #[error("cannot run {}", .program.display())]
    Start {
        /// Path of the program.
        program: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// It failed; its own words follow.
    #[error("installer ended with {status}\n{log}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// End of its error output.
        log: String,
    },
    /// The config files could not be listed or removed.
    #[error("cannot access {INSTALLER_D}")]
    Configs(#[source] io::Error),
    /// The HTTP client for reports could not be set up.
    #[error("cannot set up reporting")]
    Reporter(#[source] reqwest::Error),
}

/// Installs as the kernel arguments and config files say, and reports. On success the config files
/// are gone, so that a second start of the unit does not install again.
pub fn run(kargs: &Kargs, consoles: &Consoles) -> Result<(), InstallError> {
    let receivers = kargs.tried(embed::contract::karg::REPORT_URL);
    let reporter =
        Reporter::start(&receivers, Policy::default()).map_err(InstallError::Reporter)?;
    reporter.send(Event::Live);
    let result = install(
        kargs,
        Path::new(INSTALLER),
        Path::new(INSTALLER_D),
        consoles,
        &reporter,
    );
    match &result {
        Ok(()) => {
            consoles.line("install: done");
            reporter.send(Event::Installed);
        }
        Err(error) => {
            let reason = reason(error);
            consoles.line(&format!("install failed: {reason}"));
            reporter.send(Event::InstallFailed { reason });
        }
    }
    if reporter.finish(LAST_REPORT) == Outcome::TimedOut {
        consoles.line("install: the report was not answered; going on without");
    }
    result
}

fn install(
    kargs: &Kargs,
    program: &Path,
    config_dir: &Path,
    consoles: &Consoles,
    reporter: &Reporter,
) -> Result<(), InstallError> {
    let configs = configs(config_dir).map_err(InstallError::Configs)?;
    let arguments = arguments(kargs, &configs)?;
    if let Some(target) = target(kargs) {
        wait_for(&target, TARGET_PATIENCE);
    }
    let mut watch = Watch {
        consoles,
        reporter,
        printed: None,
        reported: None,
    };
    let (status, log) =
        supervise(program, &arguments, |progress| watch.see(progress)).map_err(|source| {
            InstallError::Start {
                program: program.to_owned(),
                source,
            }
        })?;
    if !status.success() {
        return Err(InstallError::Failed { status, log });
    }
    match fs::remove_dir_all(config_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InstallError::Configs(error)),
        _ => Ok(()),
    }
}

fn reason(error: &InstallError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Files of the directory in lexical order; a directory that is not there has none.
fn configs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn wait_for(path: &Path, patience: Duration) {
    let begin = Instant::now();
    while !path.exists() && begin.elapsed() < patience {
        thread::sleep(Duration::from_millis(250));
    }
}

/// Runs `program`, hands each progress line to `see`, and returns how it ended with the end of its
/// error output, which also goes to this process's.
fn supervise(
    program: &Path,
    arguments: &[OsString],
    see: impl FnMut(Progress),
) -> io::Result<(ExitStatus, String)> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let errors = child
        .stderr
        .take()
        .map(|stderr| thread::spawn(move || tail(stderr)));
    let watched = watch_progress(&mut child, see);
    let status = child.wait()?;
    watched?;
    let log = errors
        .and_then(|thread| thread.join().ok())
        .unwrap_or_default();
    Ok((status, log))
}

fn watch_progress(child: &mut Child, mut see: impl FnMut(Progress)) -> io::Result<()> {
    let Some(stdout) = child.stdout.take() else {
        return Ok(());
    };
    for line in BufReader::new(stdout).split(b'\n') {
        // Other lines are the installer's results for people; they are not progress.
        if let Ok(progress) = serde_json::from_slice(&line?) {
            see(progress);
        }
    }
    Ok(())
}

fn tail(stderr: impl Read) -> String {
    let mut lines = VecDeque::new();
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(line.get(..LOG_LINE_MAX).unwrap_or(&line)).into_owned();
        // Without a reader of our own error output the install still goes on.
        let _ = writeln!(io::stderr(), "{line}");
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    Vec::from(lines).join("\n")
}

/// Turns progress into lines and reports, not more often than either can use.
struct Watch<'a> {
    consoles: &'a Consoles,
    reporter: &'a Reporter,
    printed: Option<u8>,
    reported: Option<(Instant, u8)>,
}

impl Watch<'_> {
    fn see(&mut self, progress: Progress) {
        match &progress {
            Progress::Started { target } => {
                self.consoles.line(&format!("install: to {target}"));
                self.reporter.send(Event::InstallStarted {
                    device: target.clone(),
                });
            }
            Progress::Copying { .. } => {
                if let Some(percent) = progress.percent() {
                    self.copied(percent);
                }
            }
            Progress::Sealing => self
                .consoles
                .line("install: image verified, completing the disk"),
            Progress::Done => {}
        }
    }

    fn copied(&mut self, percent: u8) {
        let step = percent / PRINT_STEP;
        if self.printed != Some(step) {
            self.printed = Some(step);
            self.consoles.line(&format!("install: {percent}%"));
        }
        let due = self
            .reported
            .is_none_or(|(at, last)| at.elapsed() >= REPORT_EVERY && last != percent);
        if due {
            self.reported = Some((Instant::now(), percent));
            self.reporter.send(Event::InstallProgress { percent });
        }
    }
}

#[cfg(test)]
mod tests;
