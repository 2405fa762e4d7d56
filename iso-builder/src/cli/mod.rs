//! The `iso-builder` command line: the only place of this crate that prints. Errors take three
//! lines on standard error; exit status 0 is done, 1 failed, 2 a wrong command line.

mod build;
mod hints;
mod inspect;
mod output;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Make bootable media from an OS image
#[derive(Debug, Parser)]
#[command(
    name = "iso-builder",
    version,
    max_term_width = 80,
    disable_help_subcommand = true
)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build live ISO, kernel, initramfs and rootfs from an OS image
    ///
    /// The image's signature is checked before anything in it is used. The live root is the image
    /// itself, so what is booted live is what is installed. The same image and options give the
    /// same bytes.
    Build(Box<build::BuildArgs>),
    /// Show what an ISO boots and how, and what it carries
    ///
    /// Boot catalogue, partition tables, EFI programs and whether they are signed, kernel,
    /// initramfs and rootfs with their SHA-256, the OS image inside, kernel arguments, and what is
    /// embedded. Any ISO can be looked into; a live ISO tells most.
    Inspect(inspect::InspectArgs),
    /// Check a live ISO against what it says of itself
    ///
    /// The rootfs against the hashes in the initramfs, the OS image in the rootfs against its
    /// SHA-256 there, everything against the manifest, and the manifest's signature when a keyring
    /// is given. What was embedded with `coreos-installer iso` does not count as a difference.
    Verify(verify::VerifyArgs),
}

/// Runs the command that this process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are no errors; clap knows which stream they belong to.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() {
                output::USAGE
            } else {
                0
            });
        }
    };
    let done = match cli.command {
        Command::Build(args) => args.run(),
        Command::Inspect(args) => args.run(),
        Command::Verify(args) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::fail(&error),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
