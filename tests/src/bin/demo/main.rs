//! `make demo`: one OS image and one config, delivered to a machine over the network, by ISO and
//! the cloud way, and proof that all three machines are the same.
//!
//! The outer process builds what is needed and runs itself again in private namespaces, where the
//! LAN, the server and the machines live. Nothing outlives it.

mod check;
mod cloud;
mod inside;
mod iso;
mod narrate;
mod network;
mod outside;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// From an OS image to a netbooted, installed, provisioned machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
struct Options {
    /// Go only one way (the comparison of all three is then left out)
    #[arg(long, value_enum)]
    only: Option<Way>,
    /// Take OS and media from here instead of building them
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// Log directory, for the isolated process
    #[arg(long, hide = true)]
    logs: Option<PathBuf>,
    /// Seconds that the outer process took so far, for the isolated process
    #[arg(long, hide = true, default_value_t = 0)]
    elapsed: u64,
}

/// How image and config reach a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Way {
    /// Network boot, unattended install, per-machine config by HTTP.
    Pxe,
    /// The image's disk itself, config from the hypervisor.
    Cloud,
    /// Customized live ISO, unattended install, nothing from the network.
    Iso,
}

impl Way {
    const ALL: [Self; 3] = [Self::Pxe, Self::Cloud, Self::Iso];

    fn name(self) -> &'static str {
        match self {
            Self::Pxe => "pxe",
            Self::Cloud => "cloud",
            Self::Iso => "iso",
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = if tests::lan::isolate::is_inside() {
        inside::run(&options)
    } else {
        outside::run(&options)
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            narrate::error(&error);
            ExitCode::FAILURE
        }
    }
}
