//! The programs of the host that media are made with: found before any work begins, run with their
//! messages kept for the error.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        status: std::process::ExitStatus,
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

    /// A command that starts the program with messages in English.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env("LC_ALL", "C");
        command
    }

    /// Runs `command` to its end.
    pub fn run(&self, mut command: Command) -> Result<(), ToolError> {
        let output = command.output().map_err(|source| ToolError::Start {
            program: self.0.clone(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout, output.stderr].concat();
        let tail = printed
            .get(printed.len().saturating_sub(MAX_MESSAGE)..)
            .unwrap_or_default();
        let message = String::from_utf8_lossy(tail).trim().to_owned();
        Err(ToolError::Failed {
            program: self.0.clone(),
            status: output.status,
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
    /// Makes GRUB's boot image.
    pub grub_mkimage: ToolPath,
    /// What it is made from.
    pub grub_modules: GrubModules,
}

impl HostTools {
    /// Looks for everything; the first thing missing is the error.
    pub fn find() -> Result<Self, ToolError> {
        let mksquashfs = ToolPath::find("mksquashfs", "squashfs-tools")?;
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
        let error = tool.run(command).unwrap_err();
        assert!(
            matches!(&error, ToolError::Failed { message, .. } if message == "out\nwhy"),
            "{error}"
        );
    }
}
