//! `pxe-server explain`: why a machine gets what it gets, from the site's files and what is said
//! of the machine on the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::mac::MacAddr;
use crate::machine::Subject;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The machine
    mac: MacAddr,
    /// Site directory, with site.yaml
    #[arg(long, value_name = "DIR")]
    site: PathBuf,
    /// What is known of the machine: uuid, serial, asset, hostname, arch, address, circuit-id, or
    /// any other name for a free label (may be repeated)
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let mut subject = Subject::new(args.mac);
    for (name, value) in &args.labels {
        subject
            .facts
            .say(name, value)
            .with_context(|| format!("reading `--label {name}={value}`"))?;
    }
    let explanation = Site::load(&args.site)?.explain(&subject);
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &explanation).context("writing JSON")?;
        writeln!(out)?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(())
}
