//! `pxe-server pcap`: the newest packets of a machine, as a running server has kept them.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Method;

use crate::cli::remote::Remote;
use crate::mac::MacAddr;

#[derive(Debug, Args)]
pub(super) struct PcapArgs {
    /// The machine's Ethernet address
    mac: MacAddr,
    /// Where to write the capture [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) fn run(args: &PcapArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if args.output.is_none() && out.is_terminal() {
        bail!(
            "a capture is not for a terminal: name a file with --output, or pipe it to `tcpdump -r -`"
        );
    }
    let path = format!("/api/v1/machines/{}/pcap", args.mac.dashed());
    let answer = args.remote.ask(Method::GET, &path)?;
    let capture = answer.bytes().context("reading the capture")?;
    match &args.output {
        Some(file) => {
            std::fs::write(file, &capture).with_context(|| format!("writing {}", file.display()))?
        }
        None => out.write_all(&capture).context("writing the capture")?,
    }
    Ok(())
}
