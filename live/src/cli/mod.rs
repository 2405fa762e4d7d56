//! The command line of `coreos-live`, the only place that prints errors. Every failure is also
//! recorded, so that it is the last thing on the consoles if the boot stops because of it.

mod hints;
mod steps;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::failure;

/// Steps of booting a CoreOS-style system; run by systemd units.
#[derive(Debug, Parser)]
#[command(name = "coreos-live", version, disable_help_subcommand = true)]
enum Step {
    /// Hand the machine's config to Ignition (initramfs).
    Config,
    /// Bring up the network because something needs it (initramfs).
    Network,
    /// Find or fetch the live rootfs (initramfs).
    Rootfs,
    /// Mount the live root on /sysroot (initramfs).
    MountRoot,
    /// Fit the partition table to the disk and grow the root partition (initramfs).
    Grow,
    /// Pass on network settings and reset the interfaces (initramfs).
    TeardownNetwork,
    /// Show on the consoles why the boot stopped.
    Dump,
    /// Install as the kernel arguments say (live system).
    Install,
    /// Report what the machine consists of, and reboot when its server has a use for it (live system).
    Discover,
    /// Say what the first boot made and make it the last (installed system).
    FirstBootComplete,
    /// Report the finished first boot to coreos.report_url (installed system).
    Report,
    /// Write the module that makes an initramfs a live one, for `iso-builder build --live-module`.
    PackModule {
        /// File to write; made anew
        out: PathBuf,
        /// The installer for the live system [default: coreos-installer beside this program]
        #[arg(long, value_name = "PROGRAM")]
        installer: Option<PathBuf>,
    },
}

/// Runs the program; `arguments` begins with its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .unwrap_or_default();
    let dir = |index: usize| arguments.get(index).map_or(Path::new("/tmp"), Path::new);
    let result = match name.to_str() {
        Some("coreos-live-generator") => steps::initramfs_generator(dir(1)),
        Some("coreos-boot-generator") => steps::boot_generator(dir(1), dir(2)),
        Some("is-live-image") => {
            return if steps::is_live_initramfs() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        _ => match Step::try_parse_from(&arguments) {
            Ok(step) => run(&step),
            Err(error) => {
                // Help and usage go where clap wants them; there is no other place to report to.
                let _ = error.print();
                return if error.use_stderr() {
                    ExitCode::from(2)
                } else {
                    ExitCode::SUCCESS
                };
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(step: &Step) -> anyhow::Result<()> {
    match step {
        Step::Config => steps::config(),
        Step::Network => steps::network(),
        Step::Rootfs => steps::rootfs(),
        Step::MountRoot => steps::mount_root(),
        Step::Grow => steps::grow(),
        Step::TeardownNetwork => steps::teardown_network(),
        Step::Dump => steps::dump(),
        Step::Install => steps::install(),
        Step::Discover => steps::discover(),
        Step::FirstBootComplete => steps::first_boot_complete(),
        Step::Report => steps::report(),
        Step::PackModule { out, installer } => steps::pack_module(out, installer.as_deref()),
    }
}

fn fail(error: &anyhow::Error) {
    let text = render(error);
    // The journal has both as well; a boot that fails this early has nowhere else to turn.
    let _ = std::io::stderr().write_all(text.as_bytes());
    let _ = failure::record(Path::new(failure::REASONS), &text);
}

/// The three lines of an error.
fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    if !causes.is_empty() {
        text.push_str(&format!("cause: {}\n", causes.join(": ")));
    }
    if let Some(hint) = hints::hint(error) {
        text.push_str(&format!("hint:  {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, TooSmall};
    use crate::rootfs::RootfsError;

    #[test]
    fn an_error_has_what_why_and_how() {
        let error = RootfsError::Io {
            path: "/x".into(),
            source: std::io::Error::from_raw_os_error(2),
        };
        assert_eq!(
            render(&error.into()),
            "error: cannot access /x\ncause: No such file or directory (os error 2)\n"
        );
        let memory = Memory {
            total: 512 << 20,
            available: 300 << 20,
        };
        let text = render(
            &RootfsError::Memory(TooSmall {
                rootfs: 200 << 20,
                memory,
            })
            .into(),
        );
        assert!(
            text.starts_with(
                "error: not enough memory for the live system: its rootfs takes 200 MiB"
            ),
            "{text}"
        );
        assert!(text.ends_with("hint:  give the machine at least 156 MiB more, or boot the ISO, which needs no copy in memory\n"), "{text}");
    }

    #[test]
    fn usage_errors_are_two() {
        let code = |words: &[&str]| format!("{:?}", main(words.iter().map(OsString::from)));
        assert_eq!(
            code(&["coreos-live", "fly"]),
            format!("{:?}", ExitCode::from(2))
        );
        assert_eq!(
            code(&["coreos-live", "--version"]),
            format!("{:?}", ExitCode::SUCCESS)
        );
    }
}
