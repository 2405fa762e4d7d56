//! Disks: their device and what their partitions are to each other. A partition by itself is in
//! [`super::partitions`].

use std::collections::{BTreeMap, HashMap, HashSet};

use super::item::Item;
use super::{Report, codes, partitions, paths};
use crate::finding::quote;

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    for disk in storage.items("disks") {
        paths::required(disk, "device", report);
        for partition in disk.items("partitions") {
            partitions::check(partition, report);
        }
        numbers(disk, report);
        labels(disk, report);
        overlaps(disk, report);
        deletions(disk, report);
    }
}

fn numbers(disk: Item<'_>, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for partition in disk.items("partitions") {
        let number = partitions::number(partition);
        if number != 0 && !seen.insert(number) {
            let message = format!("partition number {number} is used twice");
            report.error(codes::PARTITION_NUMBER_TWICE, partition.span, message);
        }
    }
}

fn labels(disk: Item<'_>, report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for partition in disk.items("partitions") {
        let Some(label) = partition.text("label") else {
            continue;
        };
        let number = partitions::number(partition);
        match seen.get(label) {
            None => {
                seen.insert(label, number);
            }
            // One number twice is another rule's; that it has one label is no wonder.
            Some(first) if *first == number && number != 0 => {}
            Some(_) => {
                let message = format!("partition label {} is used twice", quote(label));
                report.error(codes::PARTITION_LABEL_TWICE, partition.span, message);
            }
        }
    }
}

/// Partitions whose start and size are both given. What overlaps is left out from then on, so
/// that the kept ones are disjoint and each is compared with its neighbours only.
fn overlaps(disk: Item<'_>, report: &mut Report<'_>) {
    let mut kept = BTreeMap::new();
    for partition in disk.items("partitions") {
        let Some((start, end)) = extent(partition) else {
            continue;
        };
        let before = kept.range(..=end).next_back();
        if before.is_some_and(|(_, last)| *last >= start) {
            let message = format!("partition from {start} to {end} MiB overlaps another");
            report.error(codes::PARTITIONS_OVERLAP, partition.span, message);
        } else {
            kept.insert(start, end);
        }
    }
}

/// First and last MiB. A start of 0 is chosen later; a size of 0 takes at least one MiB.
fn extent(partition: Item<'_>) -> Option<(i64, i64)> {
    let start = partition.integer("startMiB").filter(|start| *start != 0)?;
    let size = partition.integer("sizeMiB")?;
    let end = match size {
        0 => start,
        _ => start.saturating_add(size).saturating_sub(1),
    };
    Some((start.min(end), start.max(end)))
}

fn deletions(disk: Item<'_>, report: &mut Report<'_>) {
    let mut partitions = disk.items("partitions");
    let deletes = partitions.any(|partition| partition.is_false("shouldExist"));
    let mut partitions = disk.items("partitions");
    let unnumbered = partitions.any(|partition| partitions::number(partition) == 0);
    if deletes && unnumbered {
        let at = disk.at("partitions");
        let message = "one partition is deleted and another (or the same) has no number";
        report.error(codes::PARTITION_DELETED_WITH_UNNUMBERED, at, message);
        report.hint("number all partitions of the disk");
    }
}
