//! `pxe-server rollout`: how far new versions of profiles are, and orders to stop or go on. Orders are
//! left in the state directory, where a running server finds them; the status is asked of it.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::cli::Directories;
use crate::machine::{Orders, Resumed, give_orders, orders_given};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
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
    /// Where the server's HTTP side is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct OrderArgs {
    /// The profile
    profile: String,
    #[command(flatten)]
    directories: Directories,
}

pub(super) fn run(args: &RolloutArgs) -> anyhow::Result<()> {
    match &args.order {
        Order::Status(args) => status(args),
        Order::Pause(args) => give(args, "is paused", |orders, _| orders.paused = true),
        Order::Halt(args) => give(args, "is halted", |orders, _| orders.halted = true),
        Order::Resume(args) => give(args, "goes on", |orders, version| {
            let resumed = Resumed {
                version,
                time: Timestamp::now(),
            };
            *orders = Orders {
                resumed: Some(resumed),
                ..Orders::default()
            };
        }),
    }
}

fn give(
    args: &OrderArgs,
    what: &str,
    change: impl FnOnce(&mut Orders, String),
) -> anyhow::Result<()> {
    let (site, name) = (Site::load(&args.directories.site)?, &args.profile);
    match site.profiles.get(name) {
        None => bail!("there is no profile `{name}`"),
        Some(profile) if profile.rollout.is_none() => {
            bail!("profile `{name}` has no `rollout`; its installs are not held back")
        }
        Some(_) => {}
    }
    let state = args.directories.state();
    let mut orders = orders_given(&state)?.remove(name).unwrap_or_default();
    let version = site.intent(name).version;
    change(&mut orders, version.clone());
    give_orders(&state, name, &orders)?;
    writeln!(std::io::stdout(), "{name} {version} {what}")?;
    Ok(())
}

fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let url = format!("{}/api/v1/rollouts", args.server.trim_end_matches('/'));
    let client = reqwest::blocking::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .context("making an HTTP client")?;
    let asked = client.get(&url).send();
    let answer = asked.and_then(reqwest::blocking::Response::error_for_status);
    let answer = answer.with_context(|| format!("asking {url}"))?;
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
