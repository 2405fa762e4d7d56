//! `coreos-live`: each step of a boot as a subcommand; a generator when called by a generator's
//! name. All of it is [`live::cli`].

fn main() -> std::process::ExitCode {
    live::cli::main(std::env::args_os())
}
