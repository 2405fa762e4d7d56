//! What is printed. On standard error: errors in three lines, what was built, and progress (a bar on
//! a terminal, a line a step elsewhere). On standard output: answers to questions.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::hints;
use crate::watch::{Step, Watch};

/// Exit status of a wrong command line.
pub(super) const USAGE: u8 = 2;

/// Shows an error and gives the exit status that belongs to it.
pub(super) fn fail(error: &anyhow::Error) -> ExitCode {
    tell(&render(error));
    ExitCode::from(hints::exit_status(error))
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the command prints"
)]
pub(super) fn tell(text: &str) {
    eprint!("{text}");
}

/// Answers on standard output. A reader that went away is an error.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// For people.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn render(error: &anyhow::Error) -> String {
    let mut out = format!("error: {error}\n");
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    if !causes.is_empty() {
        out.push_str(&format!("cause: {}\n", causes.join(": ")));
    }
    if let Some(hint) = hints::hint(error) {
        out.push_str(&format!("hint:  {hint}\n"));
    }
    out
}

/// Progress of a build.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Progress {
    fn step(&self, step: Step) {
        let text = describe(step);
        match &self.bar {
            None => tell(&format!("{text}\n")),
            Some(bar) => {
                bar.unset_length();
                bar.set_position(0);
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(text);
            }
        }
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if let (Some(total), None) = (total, bar.length()) {
            bar.set_length(total);
            let style =
                ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        bar.set_position(done);
    }
}

fn describe(step: Step) -> &'static str {
    match step {
        Step::Unpack => "verifying and unpacking the image",
        Step::Extract => "taking kernel, initramfs and boot loader",
        Step::Squashfs => "compressing the live root",
        Step::Rootfs => "packing and hashing the rootfs",
        Step::Iso => "writing the ISO",
        Step::Digests => "hashing the results",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::build::BuildError;
    use crate::image::BootError;
    use crate::tools::ToolError;

    #[test]
    fn error_has_cause_and_hint_on_lines_of_their_own() {
        let error = BuildError::Boot {
            image: PathBuf::from("os.raw"),
            source: BootError::NoPartition,
        };
        let want = "error: cannot start anything from os.raw\n\
            cause: image has no file system labelled `boot`\n\
            hint:  media are made from whole disk images of CoreOS-style systems; see `docs/src/os-contract.md`\n";
        assert_eq!(render(&error.into()), want);
    }

    #[test]
    fn missing_program_is_named_with_the_package_that_has_it() {
        let error = ToolError::Missing {
            program: "mksquashfs".into(),
            package: "squashfs-tools",
        };
        let want = "error: `mksquashfs` is not installed\nhint:  apt install squashfs-tools\n";
        assert_eq!(render(&error.into()), want);
    }

    #[test]
    fn error_without_cause_or_hint_is_one_line() {
        let error = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(render(&error.into()), "error: broken pipe\n");
    }
}
