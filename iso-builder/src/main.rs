//! The `iso-builder` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    iso_builder::cli::run()
}
