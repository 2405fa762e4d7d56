//! A partition by itself: number or label, label, GUIDs, deletion.
//! What the partitions of a disk are to each other is in [`super::disks`].

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::syntax::guid;

/// Bytes, not characters: what the original counts.
const LABEL_MAX: usize = 36;

/// The number; 0 is none.
pub(super) fn number(partition: Item<'_>) -> i64 {
    partition.integer("number").unwrap_or_default()
}

pub(super) fn check(partition: Item<'_>, report: &mut Report<'_>) {
    if number(partition) == 0 && !partition.has("label") {
        let message = "partition has neither `number` nor `label`";
        report.error(codes::PARTITION_UNNAMED, partition.span, message);
    }
    deletion(partition, report);
    label(partition, report);
    for name in ["guid", "typeGuid"] {
        if let Some(guid) = partition.filled(name).filter(|guid| !guid::is_guid(guid)) {
            let message = format!("{} is not a GUID", quote(guid));
            report.error(codes::GUID_MALFORMED, partition.at(name), message);
            report.hint(format!("write it as `{}`", guid::FORM));
        }
    }
}

fn deletion(partition: Item<'_>, report: &mut Report<'_>) {
    let mut given = ["label", "startMiB", "sizeMiB"].into_iter();
    let mut filled = ["guid", "typeGuid"].into_iter();
    let other = given
        .find(|name| partition.has(name))
        .or_else(|| filled.find(|name| partition.filled(name).is_some()));
    if let Some(other) = other.filter(|_| partition.is_false("shouldExist")) {
        let message = format!("partition is to be deleted, and has `{other}`");
        report.error(
            codes::PARTITION_DELETED_WITH_OTHERS,
            partition.span,
            message,
        );
        report.hint("name a partition to delete by its `number` only");
    }
}

fn label(partition: Item<'_>, report: &mut Report<'_>) {
    let Some(label) = partition.text("label") else {
        return;
    };
    let at = partition.at("label");
    if label.len() > LABEL_MAX {
        let (label, bytes) = (quote(label), label.len());
        let message = format!("partition label {label} has {bytes} bytes, {LABEL_MAX} are allowed");
        report.error(codes::PARTITION_LABEL_LONG, at, message);
    } else if label.contains(':') {
        let message = format!("partition label {} has a colon", quote(label));
        report.error(codes::PARTITION_LABEL_COLON, at, message);
    }
}
