//! The command line: subcommands, logging and errors as people read them. The only place that
//! prints.

mod check;
mod claim;
mod explain;
mod hints;
mod logging;
mod mirror;
mod pcap;
mod reinstall;
mod remote;
mod rollout;
mod serve;
mod store;
mod storm;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "pxe-server",
    version,
    about = "Boots the machines of a site over the network and installs each once"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve proxyDHCP, TFTP and HTTP
    Serve(Box<serve::ServeArgs>),
    /// Load a site and render what every machine would get
    Check(check::CheckArgs),
    /// Tell why a machine gets what it gets
    Explain(explain::ExplainArgs),
    /// Give a machine a profile by hand
    Claim(claim::ClaimArgs),
    /// Allow one more install of a machine
    Reinstall(reinstall::ReinstallArgs),
    /// See how far new versions of profiles are; pause, resume or halt them
    Rollout(rollout::RolloutArgs),
    /// Keep the newest builds of a stream as media, verified
    ///
    /// Fetches what the stream publishes now, and serves nobody: a running server takes up what is
    /// mirrored for its site.
    #[command(after_help = mirror::EXAMPLES)]
    Mirror(Box<mirror::MirrorArgs>),
    /// Get the newest packets of a machine from a running server
    Pcap(pcap::PcapArgs),
    /// Boot many simulated machines from a server, and tell how it did
    Storm(storm::StormArgs),
    /// Make tokens for operators and take them back
    Token(token::TokenArgs),
}

/// Where the site and its state are.
#[derive(Debug, Args)]
struct Directories {
    /// Site directory, with site.yaml
    #[arg(long, value_name = "DIR")]
    site: PathBuf,
    /// State directory [default: `state` in the site directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Directories {
    fn state(&self) -> PathBuf {
        self.state
            .clone()
            .unwrap_or_else(|| self.site.join("state"))
    }
}

/// Runs the command: 0 done, 1 failed, 2 used wrongly.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Claim(args) => claim::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Reinstall(args) => reinstall::run(&args),
        Command::Rollout(args) => rollout::run(&args),
        Command::Mirror(args) => mirror::run(*args),
        Command::Pcap(args) => pcap::run(&args),
        Command::Storm(args) => storm::run(&args),
        Command::Token(args) => token::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            hints::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
