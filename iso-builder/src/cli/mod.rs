//! The `iso-builder` command line: the only place of this crate that prints. Errors take three
//! lines on standard error; exit status 0 is done, 1 failed, 2 a wrong command line.

mod build;
mod hints;
mod output;

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
    let Command::Build(args) = cli.command;
    match args.run() {
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
