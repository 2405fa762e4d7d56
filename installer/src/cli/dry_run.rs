//! `install --dry-run`: what an install would read, check, erase, keep and write, on standard
//! output.

use std::fmt::Write as _;

use indicatif::BinaryBytes;
use serde::Serialize;

use crate::disk::TableKind;
use crate::firstboot::FirstBoot;
use crate::install::Rehearsal;

/// The plan as the last line of `--progress json`.
#[derive(Serialize)]
pub(super) struct Planned<'t> {
    plan: Vec<&'t str>,
}

impl<'t> Planned<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            plan: text.lines().collect(),
        }
    }
}

/// The plan, a line for each thing.
pub(super) fn describe(rehearsal: &Rehearsal, first_boot: &FirstBoot) -> String {
    let mut text = "dry run; nothing was written\n".to_owned();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<9} {value}");
        }
    };
    let size = rehearsal
        .image_size
        .map(|size| format!(" ({} as published)", BinaryBytes(size)));
    let image = format!("{}{}", rehearsal.image, size.unwrap_or_default());
    line("image", &image);
    line("checked", &checked(rehearsal));
    let disk = format!(
        "{} ({}, sectors of {} bytes)",
        rehearsal.device.display(),
        BinaryBytes(rehearsal.device_size),
        rehearsal.sector_size
    );
    line("disk", &disk);
    line("erased", &erased(rehearsal));
    line("kept", &kept(rehearsal));
    line("written", &written(rehearsal));
    for (name, value) in configured(first_boot) {
        line(name, &value);
    }
    text
}

fn checked(rehearsal: &Rehearsal) -> String {
    let means = &rehearsal.means;
    let mut by = Vec::new();
    if means.signature {
        by.push("its signature".to_owned());
    }
    by.extend(means.digest.map(|digest| format!("sha256 {digest}")));
    match by.as_slice() {
        [] => "not at all (--insecure)".to_owned(),
        by => format!("by {}", by.join(" and ")),
    }
}

fn erased(rehearsal: &Rehearsal) -> String {
    let content = &rehearsal.content;
    let lost: Vec<String> = rehearsal
        .lost()
        .map(|p| named(p.number, &p.label))
        .collect();
    match (content.table, lost.is_empty()) {
        (TableKind::Gpt, false) => format!("partitions {}", lost.join(", ")),
        (TableKind::Gpt, true) => "an unused or kept partition table".to_owned(),
        (TableKind::Mbr, _) => "an MBR partition table and what it holds".to_owned(),
        (TableKind::Damaged, _) => "a damaged GPT and what it held".to_owned(),
        (TableKind::None, _) => match &content.holds {
            Some(held) => format!("{} {}", held.kind, held.label)
                .trim_end()
                .to_owned(),
            None => "nothing known".to_owned(),
        },
    }
}

fn kept(rehearsal: &Rehearsal) -> String {
    let kept = rehearsal
        .content
        .partitions
        .iter()
        .filter(|partition| rehearsal.kept.contains(&partition.number))
        .map(|partition| named(partition.number, &partition.label));
    let kept: Vec<String> = kept.collect();
    match kept.as_slice() {
        [] => String::new(),
        kept => format!("partitions {}", kept.join(", ")),
    }
}

fn written(rehearsal: &Rehearsal) -> String {
    match rehearsal.partitions.as_slice() {
        [] => "the image".to_owned(),
        partitions => format!("partitions {}", partitions.join(", ")),
    }
}

fn named(number: u32, label: &str) -> String {
    match label {
        "" => number.to_string(),
        label => format!("{number} `{label}`"),
    }
}

/// What is changed on the boot partition.
fn configured(first_boot: &FirstBoot) -> Vec<(&'static str, String)> {
    let kargs: Vec<String> = [
        ("-", &first_boot.kargs.delete),
        ("+", &first_boot.kargs.append),
    ]
    .iter()
    .flat_map(|(sign, args)| args.iter().map(move |arg| format!("{sign}{arg}")))
    .collect();
    let consoles: Vec<String> = first_boot
        .consoles
        .iter()
        .map(ToString::to_string)
        .collect();
    let config = first_boot.ignition.as_ref().map(|config| {
        let digest = embed::digest::Sha256Digest::of(config.bytes());
        format!("Ignition {} (sha256 {digest})", config.version())
    });
    vec![
        ("config", config.unwrap_or_default()),
        ("platform", first_boot.platform.clone().unwrap_or_default()),
        ("consoles", consoles.join(" ")),
        ("kargs", kargs.join(" ")),
        (
            "network",
            match first_boot.network.is_empty() {
                true => String::new(),
                false => "keyfiles of this system".to_owned(),
            },
        ),
    ]
}
