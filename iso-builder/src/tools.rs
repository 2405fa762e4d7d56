//! The programs of the host that media are made with: found before any work begins, run with their
//! messages kept for the error.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use embed::digest::Sha256Digest;
use installer::cancel::Cancel;

/// How often a running program is looked after.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of a program's messages that an error keeps.
const MAX_MESSAGE: usize = 2000;
const GRUB_DIR: &str = "/usr/lib/grub/i386-pc";

/// What can be wrong with a program of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// Not installed.
    #[error("`{program}` is not installed")]
    Missing {
        /// The program or file.
        program: String,
        /// Debian package that has it.
        package: &'static str,
    },
    /// Not started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Started and failed.
    #[error("{program} failed ({status}): {message}")]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        message: String,
    },
}

/// A program that was found.
#[derive(Clone, Debug)]
pub struct ToolPath(PathBuf);

impl ToolPath {
    /// Looks for `program` in `PATH`, then where administrators' programs are.
    fn find(program: &str, package: &'static str) -> Result<Self, ToolError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
        let found = dirs
            .map(|dir| dir.join(program))
            .find(|candidate| candidate.is_file());
        found.map(Self).ok_or_else(|| ToolError::Missing {
            program: program.to_owned(),
            package,
        })
    }

    /// What takes a squashfs apart.
    pub fn unsquashfs() -> Result<Self, ToolError> {
        Self::find("unsquashfs", "squashfs-tools")
    }

    /// A command that starts the program with messages in English.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env("LC_ALL", "C");
        command
    }

    /// Runs `command` to its end, or until `cancel`, which ends it. What it prints is kept for the
    /// error.
    pub fn run(&self, command: Command, cancel: &Cancel) -> Result<(), ToolError> {
        self.supervise(command, None, cancel)
    }

    /// Like [`Self::run`], with what `command` writes to standard output in `out`.
    pub fn run_into(&self, command: Command, out: File, cancel: &Cancel) -> Result<(), ToolError> {
        self.supervise(command, Some(out), cancel)
    }

    fn supervise(
        &self,
        mut command: Command,
        out: Option<File>,
        cancel: &Cancel,
    ) -> Result<(), ToolError> {
        let start = |source| ToolError::Start {
            program: self.0.clone(),
            source,
        };
        let mut printed = tempfile::tempfile().map_err(start)?;
        command.stdin(Stdio::null());
        let kept = || printed.try_clone().map_err(start);
        command.stderr(kept()?).stdout(out.map_or_else(kept, Ok)?);
        let mut child = command.spawn().map_err(start)?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(start)? {
                break status;
            }
            if cancel.is_cancelled() {
                // One that has just ended cannot be ended again; either way it is waited for.
                let _ = child.kill();
                break child.wait().map_err(start)?;
            }
            thread::sleep(POLL);
        };
        let mut text = Vec::new();
        printed
            .seek(SeekFrom::Start(0))
            .and_then(|_| printed.read_to_end(&mut text))
            .map_err(start)?;
        self.judge(status, &text)
    }

    /// Runs `command` to its end; digest and size in bytes of what it writes to standard output.
    pub fn digest_of_output(&self, mut command: Command) -> Result<(Sha256Digest, u64), ToolError> {
        let start = |source| ToolError::Start {
            program: self.0.clone(),
            source,
        };
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(start)?;
        let digest = child.stdout.take().map(Sha256Digest::of_reader).transpose();
        // Its messages are few; a pipe holds them until its output was read.
        let mut printed = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            stderr
                .take(MAX_MESSAGE as u64)
                .read_to_end(&mut printed)
                .map_err(start)?;
        }
        self.judge(child.wait().map_err(start)?, &printed)?;
        let digest = digest.map_err(start)?;
        digest.ok_or_else(|| start(io::ErrorKind::BrokenPipe.into()))
    }

    fn judge(&self, status: ExitStatus, printed: &[u8]) -> Result<(), ToolError> {
        if status.success() {
            return Ok(());
        }
        let tail = printed
            .get(printed.len().saturating_sub(MAX_MESSAGE)..)
            .unwrap_or_default();
        let message = String::from_utf8_lossy(tail).trim().to_owned();
        Err(ToolError::Failed {
            program: self.0.clone(),
            status,
            message,
        })
    }
}

/// A directory with GRUB's modules for BIOS.
#[derive(Clone, Debug)]
pub struct GrubModules(PathBuf);

impl GrubModules {
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

/// All that is needed of the host.
#[derive(Clone, Debug)]
pub struct HostTools {
    /// Makes the squashfs.
    pub mksquashfs: ToolPath,
    /// Takes it apart.
    pub unsquashfs: ToolPath,
    /// Makes GRUB's boot image.
    pub grub_mkimage: ToolPath,
    /// What it is made from.
    pub grub_modules: GrubModules,
}

impl HostTools {
    /// Looks for everything; the first thing missing is the error.
    pub fn find() -> Result<Self, ToolError> {
        let mksquashfs = ToolPath::find("mksquashfs", "squashfs-tools")?;
        let unsquashfs = ToolPath::unsquashfs()?;
        let grub_mkimage = ToolPath::find("grub-mkimage", "grub-common")?;
        let modules = PathBuf::from(GRUB_DIR);
        for file in ["kernel.img", crate::grub::BOOT_CODE] {
            let path = modules.join(file);
            if !path.is_file() {
                let program = path.display().to_string();
                return Err(ToolError::Missing {
                    program,
                    package: "grub-pc-bin",
                });
            }
        }
        Ok(Self {
            mksquashfs,
            unsquashfs,
            grub_mkimage,
            grub_modules: GrubModules(modules),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_is_named_with_its_package() {
        let error = ToolPath::find("no-such-program-here", "some-package").unwrap_err();
        assert!(
            matches!(error, ToolError::Missing { program, package: "some-package" }
            if program == "no-such-program-here")
        );
    }

    #[test]
    fn failing_program_tells_what_it_printed() {
        let tool = ToolPath::find("sh", "dash").unwrap();
        let mut command = tool.command();
        command.args(["-c", "echo out; echo why >&2; exit 3"]);
        let error = tool.run(command, &Cancel::new()).unwrap_err();
        assert!(
            matches!(&error, ToolError::Failed { message, .. } if message == "out\nwhy"),
            "{error}"
        );
    }

    #[test]
    fn cancelled_program_is_ended() {
        let tool = ToolPath::find("sleep", "coreutils").unwrap();
        let mut command = tool.command();
        command.arg("infinity");
        let cancel = Cancel::new();
        cancel.cancel();
        let error = tool.run(command, &cancel).unwrap_err();
        assert!(matches!(error, ToolError::Failed { .. }), "{error}");
    }
}
