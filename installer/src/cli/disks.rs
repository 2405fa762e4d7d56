//! `disks`: the disks of this machine, what is on them, and why one cannot be installed to now.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::BinaryBytes;

use super::files;
use crate::disk::{DiskInfo, Held, TableKind, disks};

pub(super) const EXAMPLES: &str = "\
Examples:
  coreos-installer disks
  coreos-installer disks --json
Choose a disk by what it is:
  coreos-installer install --dest-match serial=Z1AB2C3D -i machine.ign";

/// Options of `disks`.
#[derive(Args, Debug)]
pub(super) struct DisksArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DisksArgs {
    pub(super) fn run(self) -> Result<()> {
        let disks = disks().context("listing the disks")?;
        if self.json {
            files::report_json(&disks)
        } else {
            files::report(disks.iter().map(describe).collect::<String>().as_bytes())
        }
    }
}

fn describe(disk: &DiskInfo) -> String {
    let mut text = format!("{}\n", disk.in_one_line());
    let mut line = |line: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {line}");
    };
    let kind = [
        format!("sectors of {} bytes", disk.sector_size),
        if disk.rotational {
            "rotational"
        } else {
            "not rotational"
        }
        .to_owned(),
    ];
    let flags = [(disk.removable, "removable"), (disk.read_only, "read-only")];
    let flags = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| (*name).to_owned());
    line(&kind.into_iter().chain(flags).collect::<Vec<_>>().join(", "));
    if let Some(made_of) = &disk.made_of {
        let parts: Vec<_> = made_of
            .parts
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        let wwid = made_of.wwid.as_ref().map(|wwid| format!(" (WWID {wwid})"));
        line(&format!(
            "made of {}{}",
            parts.join(", "),
            wwid.unwrap_or_default()
        ));
    }
    for reason in &disk.busy {
        line(&format!("in use: {reason}"));
    }
    let Some(content) = &disk.content else {
        line("cannot be read");
        return text;
    };
    match (content.table, &content.holds) {
        (TableKind::Gpt, _) if content.partitions.is_empty() => line("GPT without partitions"),
        (TableKind::Gpt, _) => {}
        (TableKind::Mbr, _) => line("MBR partition table"),
        (TableKind::Damaged, _) => line("damaged GPT"),
        (TableKind::None, Some(held)) => line(&format!("holds {}", name(held))),
        (TableKind::None, None) => line("nothing known on it"),
    }
    for partition in &content.partitions {
        let held = partition.holds.as_ref().map(name).unwrap_or_default();
        let size = BinaryBytes(partition.size).to_string();
        let row = format!(
            "{:>3}  {:<20}  {size:>12}  {held}",
            partition.number, partition.label
        );
        line(row.trim_end());
    }
    text
}

fn name(held: &Held) -> String {
    match held.label.as_str() {
        "" => held.kind.to_owned(),
        label => format!("{} `{label}`", held.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Composed, Content, PartitionContent};

    #[test]
    fn a_disk_is_described_with_its_content_and_its_users() {
        let held = |kind, label: &str| {
            Some(Held {
                kind,
                label: label.to_owned(),
                uuid: None,
            })
        };
        let partition = |number, label: &str, holds| PartitionContent {
            number,
            label: label.to_owned(),
            size: 1 << 29,
            holds,
        };
        let content = Content {
            table: TableKind::Gpt,
            partitions: vec![
                partition(1, "BIOS-BOOT", None),
                partition(3, "boot", held("ext4", "boot")),
                partition(4, "root", held("xfs", "")),
            ],
            holds: None,
        };
        let mut disk = DiskInfo::for_tests("/dev/sda", 8 << 30);
        disk.content = Some(content);
        disk.removable = true;
        disk.busy = vec!["/dev/sda4 is mounted on /".to_owned()];
        assert_eq!(
            describe(&disk),
            "/dev/sda (8.00 GiB)\n\
             \x20   sectors of 512 bytes, not rotational, removable\n\
             \x20   in use: /dev/sda4 is mounted on /\n\
             \x20     1  BIOS-BOOT               512.00 MiB\n\
             \x20     3  boot                    512.00 MiB  ext4 `boot`\n\
             \x20     4  root                    512.00 MiB  xfs\n"
        );
        disk.content = None;
        disk.busy.clear();
        disk.made_of = Some(Composed {
            kind: "multipath".into(),
            name: Some("mpatha".into()),
            wwid: Some("3600".into()),
            parts: vec!["/dev/sdb".into(), "/dev/sdc".into()],
        });
        let start = "/dev/sda (8.00 GiB, multipath mpatha)\n\
            \x20   sectors of 512 bytes, not rotational, removable\n\
            \x20   made of /dev/sdb, /dev/sdc (WWID 3600)\n";
        assert!(describe(&disk).starts_with(start), "{}", describe(&disk));
        assert!(describe(&disk).ends_with("    cannot be read\n"));
    }
}
