//! When a boot cannot go on: remembers why, and shows it on the consoles before the emergency
//! shell, the reason last so that it is on the screen.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use crate::console::Consoles;

/// Reasons recorded so far, oldest first.
pub const REASONS: &str = "/run/coreos-failure";
/// Lines of the journal that are shown.
const JOURNAL_LINES: &str = "40";

/// Adds `reason` to the file at `path`.
pub fn record(path: &Path, reason: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{}", reason.trim_end())
}

/// Shows failed units, the journal's last warnings, and the recorded reasons.
pub fn dump(consoles: &Consoles) {
    let journal = [
        "-b",
        "-p",
        "warning",
        "-n",
        JOURNAL_LINES,
        "-o",
        "cat",
        "--no-pager",
    ];
    let failed = output_of(
        "systemctl",
        &["--failed", "--no-legend", "--plain", "--no-pager"],
    );
    let reasons = std::fs::read_to_string(REASONS).unwrap_or_default();
    consoles.text(&report(
        &failed,
        &output_of("journalctl", &journal),
        &reasons,
    ));
}

fn report(failed: &str, journal: &str, reasons: &str) -> String {
    let mut out = String::from("\n");
    for (title, text) in [
        ("failed units", failed),
        ("last warnings", journal),
        ("this boot stopped", reasons),
    ] {
        if !text.trim().is_empty() {
            out.push_str(&format!("----- {title} -----\n{}\n", text.trim_end()));
        }
    }
    out
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("cannot run {program}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_last_and_empty_parts_are_left_out() {
        assert_eq!(
            report("", "a warning\n", "error: no rootfs\n"),
            "\n----- last warnings -----\na warning\n----- this boot stopped -----\nerror: no rootfs\n"
        );
    }

    #[test]
    fn reasons_are_kept_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failure");
        record(&path, "first\n").unwrap();
        record(&path, "second").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "first\nsecond\n");
    }
}
