//! The `pxe-server` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pxe_server::cli::run()
}
