//! Progress on a terminal, in a log, and for programs.
//!
//! Events come for every block; each form thins them out for itself.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use embed::progress::{Event, Line, Outcome, Progress};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::observe::{FetchNotice, Observer};
use crate::plan::ProgressForm;
use crate::ui::{self, log};

/// Time between two lines in a log.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two JSON lines.
const JSON_INTERVAL: Duration = Duration::from_millis(500);

/// Shows what an operation tells, in the form that was asked for.
pub struct Watcher {
    form: RefCell<Form>,
    /// Thins out what goes to the log, where the form does not write lines by itself.
    log: RefCell<Pace>,
}

enum Form {
    Bar(ProgressBar),
    Plain(Pace),
    Json(Pace),
    None,
}

/// Lets an event through once per interval.
struct Pace {
    interval: Duration,
    next: Option<Instant>,
    started: Option<Instant>,
}

impl Watcher {
    /// A watcher in `form`; `auto` is a bar on a terminal and lines elsewhere.
    pub fn new(form: ProgressForm) -> Self {
        let terminal = io::stderr().is_terminal();
        let form = match form {
            ProgressForm::Auto if terminal => Form::Bar(bar()),
            ProgressForm::Bar => Form::Bar(bar()),
            ProgressForm::Auto | ProgressForm::Plain => Form::Plain(Pace::new(LINE_INTERVAL)),
            ProgressForm::Json => Form::Json(Pace::new(JSON_INTERVAL)),
            ProgressForm::None => Form::None,
        };
        Self {
            form: RefCell::new(form),
            log: RefCell::new(Pace::new(LINE_INTERVAL)),
        }
    }

    /// Prints the result as the last JSON line, if progress is shown as such; whether it was.
    pub fn result(&self, result: &impl Serialize) -> anyhow::Result<bool> {
        if !matches!(&*self.form.borrow(), Form::Json(_)) {
            return Ok(false);
        }
        let result = serde_json::to_value(result).context("writing JSON")?;
        json_line(Outcome::Result { result });
        Ok(true)
    }

    /// Leaves the terminal's line free for what comes next.
    pub fn finish(&self) {
        if let Form::Bar(bar) = &*self.form.borrow() {
            bar.finish_and_clear();
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl Observer for Watcher {
    fn event(&self, progress: Progress) {
        let mut log = self.log.borrow_mut();
        if log::is_on() && !matches!(&*self.form.borrow(), Form::Plain(_)) && log.lets(&progress) {
            log::write(&sentence(&progress, log.elapsed()));
        }
        match &mut *self.form.borrow_mut() {
            Form::Bar(bar) => draw(bar, &progress),
            Form::Plain(pace) => {
                if pace.lets(&progress) {
                    ui::tell(&sentence(&progress, pace.elapsed()));
                }
            }
            Form::Json(pace) => {
                if pace.lets(&progress) {
                    json_line(progress);
                }
            }
            Form::None => {}
        }
    }

    fn fetch(&self, notice: &FetchNotice) {
        let text = told(notice);
        match &*self.form.borrow() {
            Form::Bar(bar) => bar.suspend(|| ui::warn(&text)),
            Form::Json(_) => {
                json_line(notice.clone());
                ui::warn(&text);
            }
            _ => ui::warn(&text),
        }
    }
}

fn told(notice: &FetchNotice) -> String {
    match notice {
        FetchNotice::Retry { url, reason, delay } => {
            format!("retrying {url} in {}: {reason}", HumanDuration(*delay))
        }
        FetchNotice::Resume { url, bytes } => {
            format!("going on with {url} after {}", HumanBytes(*bytes))
        }
        FetchNotice::Mirror { url, reason, next } => {
            format!("going on with {next}, as {url} failed: {reason}")
        }
        FetchNotice::BadChunk { url, reason, next } => {
            format!("fetching a chunk of {url} again from {next}: {reason}")
        }
        FetchNotice::ManifestIgnored {
            manifest,
            looked_at,
        } => {
            format!("ignoring the chunk manifest {manifest}: it has no signature at {looked_at}")
        }
        FetchNotice::Again { url, bytes } => format!(
            "{url} cannot go on where it broke off: comparing the first {} again",
            HumanBytes(*bytes)
        ),
    }
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: None,
            started: None,
        }
    }

    /// Every change of stage, and one copying event per interval.
    fn lets(&mut self, progress: &Progress) -> bool {
        let now = Instant::now();
        if !matches!(progress, Progress::Copying { .. }) {
            self.next = None;
            return true;
        }
        self.started.get_or_insert(now);
        let due = self.next.is_none_or(|next| now >= next);
        if due {
            self.next = Some(now + self.interval);
        }
        due
    }

    fn elapsed(&self) -> Duration {
        self.started
            .map(|started| started.elapsed())
            .unwrap_or_default()
    }
}

fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8))
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    match progress {
        Progress::Started { target } => {
            bar.reset();
            bar.set_style(style("{spinner} {msg}"));
            bar.set_message(format!("preparing {target}"));
        }
        Progress::Copying { bytes, total } => {
            if bar.position() == 0 {
                bar.set_style(match total {
                    Some(_) => style(
                        "{wide_bar} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  \
                         {binary_bytes_per_sec}  {eta} left",
                    ),
                    None => style("{spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}"),
                });
                bar.reset();
            }
            if let Some(total) = total {
                bar.set_length(*total);
            }
            bar.set_position(*bytes);
        }
        Progress::Sealing => {
            bar.set_style(style("{spinner} {msg}"));
            bar.set_message("verified; making the disk bootable");
        }
        Progress::Done => bar.finish_and_clear(),
    }
}

/// The templates above are fixed; one that does not parse would show as the default bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn sentence(progress: &Progress, elapsed: Duration) -> String {
    match progress {
        Progress::Started { target } => format!("writing to {target}"),
        Progress::Copying { bytes, total } => {
            let mut text = format!("read {}", HumanBytes(*bytes));
            // Writing to a String cannot fail.
            if let (Some(percent), Some(total)) = (progress.percent(), total) {
                let _ = write!(text, " of {} ({percent}%)", HumanBytes(*total));
            }
            if let Some(rate) = rate(*bytes, elapsed) {
                let _ = write!(text, ", {}/s", HumanBytes(rate));
            }
            text
        }
        Progress::Sealing => "image verified; making the disk bootable".to_owned(),
        Progress::Done => "complete".to_owned(),
    }
}

/// Bytes a second, once there is enough time to tell.
fn rate(bytes: u64, elapsed: Duration) -> Option<u64> {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if millis < 1000 {
        return None;
    }
    bytes.saturating_mul(1000).checked_div(millis)
}

/// A reader that went away is no reason to stop an install.
fn json_line(event: impl Into<Event>) {
    if let Ok(line) = serde_json::to_string(&Line::new(event)) {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_passes_and_copying_once_per_interval() {
        let mut pace = Pace::new(Duration::from_secs(3600));
        let copying = |bytes| Progress::Copying { bytes, total: None };
        assert!(pace.lets(&Progress::Started { target: "x".into() }));
        assert!(pace.lets(&copying(1)));
        assert!(!pace.lets(&copying(2)));
        assert!(pace.lets(&Progress::Sealing));
        assert!(pace.lets(&Progress::Done));
    }

    #[test]
    fn sentences_tell_share_and_rate() {
        let progress = Progress::Copying {
            bytes: 1 << 20,
            total: Some(4 << 20),
        };
        assert_eq!(
            sentence(&progress, Duration::from_secs(2)),
            "read 1.00 MiB of 4.00 MiB (25%), 512.00 KiB/s"
        );
        let progress = Progress::Copying {
            bytes: 1 << 20,
            total: None,
        };
        assert_eq!(sentence(&progress, Duration::ZERO), "read 1.00 MiB");
    }
}
