//! `pxe-server rollout`: how far new versions of profiles are, and orders to stop or go on. Orders are
//! left in the state directory, where a running server finds them; the status is asked of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::Method;

use crate::cli::remote::Remote;
use crate::machine::{Order, order};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    order: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how far each profile's current version is
    Status(StatusArgs),
    /// Begin no more installs of a profile for now
    Pause(OrderArgs),
    /// Go on, and forget the failures so far
    Resume(OrderArgs),
    /// Begin no more installs of a profile: its version is bad
    Halt(OrderArgs),
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct OrderArgs {
    /// The profile
    profile: String,
    /// Site directory, with site.yaml
    #[arg(long, value_name = "DIR", required_unless_present = "server")]
    site: Option<PathBuf>,
    /// State directory [default: `state` in the site directory]
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    state: Option<PathBuf>,
    /// Give the order to the server at this URL, instead of leaving it in the state directory
    #[arg(long, value_name = "URL", conflicts_with = "site")]
    server: Option<String>,
    /// File with a token for it, where the server wants one
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
}

pub(super) fn run(args: &RolloutArgs) -> anyhow::Result<()> {
    match &args.order {
        Command::Status(args) => status(args),
        Command::Pause(args) => give(args, Order::Pause, "pause", "is paused"),
        Command::Halt(args) => give(args, Order::Halt, "halt", "is halted"),
        Command::Resume(args) => give(args, Order::Resume, "resume", "goes on"),
    }
}

fn give(args: &OrderArgs, what: Order, verb: &str, told: &str) -> anyhow::Result<()> {
    let name = &args.profile;
    if let Some(server) = &args.server {
        let remote = Remote::new(server, args.token_file.as_deref());
        remote.ask(Method::POST, &format!("/api/v1/rollouts/{name}/{verb}"))?;
        writeln!(std::io::stdout(), "{name} {told}")?;
        return Ok(());
    }
    let dir = args.site.as_deref().unwrap_or(Path::new("."));
    let site = Site::load(dir)?;
    match site.profiles.get(name) {
        None => bail!("there is no profile `{name}`"),
        Some(profile) if profile.rollout.is_none() => {
            bail!("profile `{name}` has no `rollout`; its installs are not held back")
        }
        Some(_) => {}
    }
    let intent = site.intent(name);
    let state = args.state.clone().unwrap_or_else(|| dir.join("state"));
    order(&state, &intent, what)?;
    writeln!(std::io::stdout(), "{name} {} {told}", intent.version)?;
    Ok(())
}

fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let answer = args.remote.ask(Method::GET, "/api/v1/rollouts")?;
    let bytes = answer.bytes().context("reading the server's answer")?;
    let document: serde_json::Value =
        serde_json::from_slice(&bytes).context("reading the server's answer")?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
        return Ok(());
    }
    for rollout in document["rollouts"].as_array().into_iter().flatten() {
        let word = |name: &str| rollout[name].as_str().unwrap_or("?").to_owned();
        let number = |name: &str| rollout[name].as_u64().unwrap_or_default();
        writeln!(
            out,
            "{} {}: {}; of {} machines {} installed, {} installing, {} failed",
            word("profile"),
            word("version"),
            word("gate"),
            number("machines"),
            number("installed"),
            number("installing"),
            number("failed"),
        )?;
    }
    Ok(())
}
