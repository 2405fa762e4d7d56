//! The `coreos-installer` command. Everything is in [`installer::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    installer::cli::main()
}
