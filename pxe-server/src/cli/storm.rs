//! `pxe-server storm`: many simulated machines boot from a server at once, ours or any other.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use crate::server::raise_file_limit;
use crate::storm::{MAX_MACHINES, Plan, Step, run as storm};

#[derive(Debug, Args)]
pub(super) struct StormArgs {
    /// The server's address
    server: Ipv4Addr,
    /// Our own address, at which the server answers relays
    #[arg(long, value_name = "IP")]
    from: Ipv4Addr,
    /// How many machines
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MACHINES)))]
    machines: u32,
    /// How many of them boot at once [default: all]
    #[arg(long, value_name = "N")]
    at_once: Option<u32>,
    /// Where each boot ends
    #[arg(long, value_enum, default_value_t = UntilArg::Install)]
    until: UntilArg,
    /// How long a machine tries each step before it is lost, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UntilArg {
    /// A boot program is offered
    Firmware,
    /// It is fetched by TFTP
    Program,
    /// A script is offered
    Ipxe,
    /// It is fetched
    Script,
    /// The config is fetched
    Config,
    /// An install is reported, where the script asks for that
    Install,
}

impl From<UntilArg> for Step {
    fn from(until: UntilArg) -> Self {
        match until {
            UntilArg::Firmware => Self::Firmware,
            UntilArg::Program => Self::Program,
            UntilArg::Ipxe => Self::Ipxe,
            UntilArg::Script => Self::Script,
            UntilArg::Config => Self::Config,
            UntilArg::Install => Self::Install,
        }
    }
}

pub(super) fn run(args: &StormArgs) -> anyhow::Result<()> {
    raise_file_limit();
    let plan = Plan {
        server: args.server,
        relay: args.from,
        machines: args.machines,
        at_once: args.at_once.unwrap_or(args.machines).max(1),
        until: args.until.into(),
        patience: Duration::from_secs(args.patience.into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?;
    let tally = runtime.block_on(storm(&plan))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &tally).context("writing JSON")?;
        writeln!(out)?;
    } else {
        write!(out, "{tally}")?;
    }
    if tally.lost > 0 {
        bail!("{} of {} machines were lost", tally.lost, tally.machines);
    }
    Ok(())
}
