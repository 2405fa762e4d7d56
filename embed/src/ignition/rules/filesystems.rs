//! File systems: device, format, label, and whether they sit on a disk that is partitioned.
//! Which formats there are is in the table.

use std::collections::HashMap;

use super::item::Item;
use super::{Report, codes, paths};
use crate::finding::quote;

/// Longest labels in bytes.
const LABELS: [(&str, usize); 5] = [
    ("ext4", 16),
    ("btrfs", 256),
    ("xfs", 12),
    ("swap", 15),
    ("vfat", 11),
];

/// The longest tag of a virtiofs share, in bytes.
const TAG_MAX: usize = 36;

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    for filesystem in storage.items("filesystems") {
        paths::optional(filesystem, "path", report);
        match filesystem.filled("format") {
            None => {
                paths::required(filesystem, "device", report);
                without_format(filesystem, report);
            }
            Some("virtiofs") if report.minor >= 7 => virtiofs(filesystem, report),
            Some(format) => {
                paths::required(filesystem, "device", report);
                label(filesystem, format, report);
            }
        }
    }
    on_disks(storage, report);
}

fn without_format(filesystem: Item<'_>, report: &mut Report<'_>) {
    let text = ["path", "label", "uuid"].into_iter();
    let lists = ["options", "mountOptions"].into_iter();
    let needs = text
        .filter(|name| filesystem.filled(name).is_some())
        .chain(lists.filter(|name| !filesystem.object.items(name).is_empty()))
        .next();
    let wipes = filesystem.is_true("wipeFilesystem");
    if let Some(name) = needs.or(wipes.then_some("wipeFilesystem")) {
        let message = format!("`format` is missing, which `{name}` needs");
        report.error(codes::FORMAT_MISSING, filesystem.at("format"), message);
    }
    if filesystem.filled("label").is_some() {
        let at = filesystem.at("label");
        report.error(codes::LABEL_WITHOUT_FORMAT, at, "label needs a `format`");
    }
}

fn label(filesystem: Item<'_>, format: &str, report: &mut Report<'_>) {
    let limit = LABELS.iter().find(|(name, _)| *name == format);
    let (Some(label), Some((_, limit))) = (filesystem.text("label"), limit) else {
        return;
    };
    if label.len() > *limit {
        let (label, bytes) = (quote(label), label.len());
        let message = format!("{format} label {label} has {bytes} bytes, {limit} are allowed");
        report.error(codes::LABEL_LONG, filesystem.at("label"), message);
    }
}

/// A share of the host: its device is a tag, and there is nothing to make.
fn virtiofs(filesystem: Item<'_>, report: &mut Report<'_>) {
    let tag = filesystem.text("device").unwrap_or_default();
    let at = filesystem.at("device");
    if tag.is_empty() {
        report.error(codes::PATH_MISSING, at, "`device` is missing");
    } else if tag.len() > TAG_MAX {
        let (tag, bytes) = (quote(tag), tag.len());
        let message = format!("virtiofs tag {tag} has {bytes} bytes, {TAG_MAX} are allowed");
        report.error(codes::VIRTIOFS_TAG_LONG, at, message);
    }
    for (name, is_given) in [
        ("label", filesystem.filled("label").is_some()),
        ("uuid", filesystem.filled("uuid").is_some()),
        ("wipeFilesystem", filesystem.is_true("wipeFilesystem")),
        ("options", !filesystem.object.items("options").is_empty()),
    ] {
        if is_given {
            let message = format!("virtiofs cannot have `{name}`");
            report.error(codes::FORMAT_REFUSES_FIELD, filesystem.at(name), message);
        }
    }
}

fn on_disks(storage: Item<'_>, report: &mut Report<'_>) {
    let disks = storage.items("disks");
    let disks: HashMap<_, _> = disks
        .map(|disk| (disk.text("device").unwrap_or_default(), disk))
        .collect();
    for filesystem in storage.items("filesystems") {
        let device = filesystem.text("device").unwrap_or_default();
        let Some(disk) = disks.get(device) else {
            continue;
        };
        let (at, device) = (filesystem.at("device"), quote(device));
        if !disk.object.items("partitions").is_empty() {
            let message = format!("file system overwrites the partitions of {device}");
            report.warning(codes::FILESYSTEM_ON_PARTITIONED_DISK, at, message);
        } else if disk.is_true("wipeTable") && !filesystem.is_true("wipeFilesystem") {
            let message = format!("file system is wiped, since the disk {device} is");
            report.warning(codes::FILESYSTEM_WIPED_WITH_TABLE, at, message);
            report.hint("`wipeFilesystem` says so openly");
        }
    }
}
