//! `inspect`: what is in an image or on a disk, for people and for programs.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use indicatif::BinaryBytes;

use super::watching::{ResultForm, WatchArgs, report};
use crate::disk::{Held, TableKind};
use crate::inspect::{BootFound, FirstBootState, Inspection, OsFound, PartitionFound, inspect};
use crate::ui;

pub(super) const EXAMPLES: &str = "\
Nothing is mounted, written or verified; `verify` does the last.

Examples:
  coreos-installer inspect os.raw.xz
  coreos-installer inspect --json /dev/sda";

/// Options of `inspect`.
#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// Image, compressed or not, or disk
    #[arg(value_hint = ValueHint::AnyPath)]
    image: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    watch: WatchArgs,
}

impl InspectArgs {
    pub(super) fn run(self) -> Result<()> {
        let watcher = self.watch.start()?;
        let cancel = ui::cancel_on_signals()?;
        let found = inspect(&self.image, &watcher, &cancel);
        watcher.finish();
        report(&watcher, &found?, ResultForm::of(self.json), describe)
    }
}

fn describe(found: &Inspection) -> String {
    let mut lines = Vec::new();
    let size = BinaryBytes(found.size);
    lines.push(("size", format!("{size}, {}", found.format)));
    lines.push(("table", table(found)));
    lines.extend(found.partitions.iter().map(|p| ("", partition(p))));
    lines.extend(found.os.iter().map(|os| ("os", system(os))));
    lines.extend(found.boot.iter().flat_map(boot));
    lines.extend(found.unread.iter().map(|why| ("not read", why.clone())));
    let line = |(name, value): &(&str, String)| {
        // What an image says must not reach the terminal's own commands.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        format!("{}\n", format!("{name:<10} {value}").trim_end())
    };
    lines.iter().map(line).collect()
}

fn table(found: &Inspection) -> String {
    match (found.table, found.sector_size) {
        (TableKind::Gpt, Some(bytes)) => format!("GPT, sectors of {bytes} bytes"),
        (TableKind::Gpt, None) => "GPT".to_owned(),
        (TableKind::Mbr, _) => "MBR".to_owned(),
        (TableKind::Damaged, _) => "damaged GPT".to_owned(),
        (TableKind::None, _) => "none".to_owned(),
    }
}

fn partition(partition: &PartitionFound) -> String {
    let held = partition.holds.as_ref().map(holds).unwrap_or_default();
    let code = partition.mbr_type.map(|code| format!("type {code:#04x}"));
    let kind = partition.type_name.map(str::to_owned).or(code);
    let kind = kind.or_else(|| partition.type_guid.clone());
    format!(
        "{:>2}  {:<12}  {:>11} at {:>11}  {:<20}  {held}",
        partition.number,
        partition.label,
        BinaryBytes(partition.size).to_string(),
        BinaryBytes(partition.start).to_string(),
        kind.unwrap_or_default(),
    )
}

fn holds(held: &Held) -> String {
    let label = match held.label.as_str() {
        "" => String::new(),
        label => format!(" `{label}`"),
    };
    let uuid = held.uuid.as_ref().map(|uuid| format!(", {uuid}"));
    format!("{}{label}{}", held.kind, uuid.unwrap_or_default())
}

fn system(os: &OsFound) -> String {
    let name = os.name.as_ref().or(os.id.as_ref());
    let name = name.map_or("unnamed", String::as_str);
    match &os.version {
        // Most pretty names end with it.
        Some(version) if !name.contains(version.as_str()) => format!("{name} (version {version})"),
        _ => name.to_owned(),
    }
}

fn boot(boot: &BootFound) -> Vec<(&'static str, String)> {
    let none = || "none".to_owned();
    let entry = boot.entry.as_ref();
    let title = entry.map(|entry| entry.title.as_ref().unwrap_or(&entry.name).clone());
    let config = boot
        .config
        .as_ref()
        .map(|config| format!("{} bytes, sha512 {}", config.size, config.sha512));
    let network = match boot.network.as_slice() {
        [] => none(),
        names => names.join(" "),
    };
    let state = match boot.first_boot {
        FirstBootState::Pending => "still to come",
        FirstBootState::Done => "done",
    };
    let mut lines = vec![
        ("entry", title.unwrap_or_else(none)),
        ("platform", boot.platform.clone().unwrap_or_else(none)),
        (
            "kargs",
            entry.map_or_else(none, |entry| entry.kargs.clone()),
        ),
        ("config", config.unwrap_or_else(none)),
        ("network", network),
        ("first boot", state.to_owned()),
    ];
    let args = boot.firstboot_args.clone();
    lines.extend(args.map(|args| ("", format!("with {args}"))));
    lines
}
