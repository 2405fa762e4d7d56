//! Doubtful and wrong things that Butane looks for beyond Ignition's rules: modes that were meant
//! octal, partitions that would not be found again, mounts where a CoreOS has no room for them.
//!
//! Rules about sugar are beside the sugar. Source: Butane's specifications and release notes.

use std::collections::BTreeSet;

use crate::finding::{At, Findings, quote};
use crate::schema::{Target, Variant};
use crate::tree::node::{Node, Object};

/// The link by which a config can name the disk that the system boots from.
const BOOT_DISK: &str = "/dev/disk/by-id/coreos-boot-disk";
/// Partitions of Fedora CoreOS images, and the numbers that they have there.
const NUMBERS: &[(&str, i64)] = &[
    ("BIOS-BOOT", 1),
    ("PowerPC-PReP-boot", 1),
    ("EFI-SYSTEM", 2),
    ("boot", 3),
    ("root", 4),
];
/// Below this an update of the system may not fit.
const ROOT_MIB: i64 = 8192;

/// Looks at the config as the user wrote it.
pub(super) fn check_source(butane: &Object, target: &Target, findings: &mut Findings) {
    let Some(storage) = butane.object("storage") else {
        return;
    };
    for (list, is_directory) in [("directories", true), ("files", false)] {
        for node in storage.items(list).iter().filter_map(Node::as_object) {
            check_mode(node, is_directory, findings);
        }
    }
    // The openshift variant has the level of fcos, but not these two rules.
    if target.variant == Variant::Fcos && target.fcos >= Some(6) {
        check_reuse(butane, storage, findings);
        check_mount_points(storage, findings);
    }
}

/// Looks at the disks of the generated config, before anything but `boot_device` was added.
pub(super) fn check_disks(config: &Node, fcos: u8, findings: &mut Findings) {
    let storage = config.as_object().and_then(|root| root.object("storage"));
    let disks = storage
        .map(|storage| storage.items("disks"))
        .unwrap_or_default();
    for disk in disks.iter().filter_map(Node::as_object) {
        if !disk.is_true("wipeTable") {
            check_numbers(disk, findings);
        }
        if fcos >= 3 {
            check_root(disk, findings);
        }
    }
}

fn check_mode(node: &Object, is_directory: bool, findings: &mut Findings) {
    let Some(mode) = node.get("mode") else {
        return;
    };
    let Some(octal) = mode.as_integer().and_then(digits_as_octal) else {
        return;
    };
    let number = mode.as_integer().unwrap_or_default();
    if !is_usual(number, is_directory) && is_usual(octal, is_directory) {
        let message =
            format!("mode {number} is decimal, and unusual: it is {number:#05o} in octal");
        findings.warning("mode-decimal", mode.span, message);
        findings.hint(format!("octal modes begin with a zero: 0{number}"));
    }
}

/// The number that the decimal digits of `number` are in octal.
fn digits_as_octal(number: i64) -> Option<i64> {
    let small = (0..=7777).contains(&number);
    small
        .then(|| i64::from_str_radix(&number.to_string(), 8).ok())
        .flatten()
}

/// Whether people give such a mode: the owner may all that the group may, and the group all that
/// others may; who may write or execute may read; special bits are where they have a meaning.
fn is_usual(mode: i64, is_directory: bool) -> bool {
    if mode == 0 {
        return true;
    }
    let [user, group, others] = [6, 3, 0].map(|shift| (mode >> shift) & 7);
    let readable = |may: i64| may == 0 || may & 4 != 0;
    let includes = |more: i64, less: i64| {
        // Executable for some of those who can read it only is unusual too.
        more & less == less && !(more & 1 != 0 && less & 5 == 4)
    };
    let sound = [user, group, others].into_iter().all(readable)
        && includes(user, group)
        && includes(group, others);
    let (writable, executable) = (user & 2 != 0, user & 1 != 0);
    let special = mode >> 9;
    let special = if is_directory {
        executable && special & 4 == 0 && (special & 3 == 0 || writable)
    } else {
        special & 1 == 0 && (special & 6 == 0 || (executable && others & 2 == 0))
    };
    sound && user != 0 && special
}

fn check_reuse(butane: &Object, storage: &Object, findings: &mut Findings) {
    let mirror = butane
        .object("boot_device")
        .and_then(|boot| boot.object("mirror"));
    let mirrored: BTreeSet<&str> = mirror
        .map(|mirror| mirror.items("devices"))
        .unwrap_or_default()
        .iter()
        .filter_map(Node::as_text)
        .collect();
    for disk in storage.items("disks").iter().filter_map(Node::as_object) {
        let device = disk.text("device").unwrap_or_default();
        if device == BOOT_DISK || disk.is_true("wipeTable") || mirrored.contains(device) {
            continue;
        }
        for node in disk.items("partitions") {
            let Some(partition) = node.as_object() else {
                continue;
            };
            if number_of(partition) != 0 || partition.get("label").is_none() {
                continue;
            }
            let number = partition.get("number").map(|number| At::from(number.span));
            let at = number.unwrap_or_else(|| At::absent(node.span, "number"));
            let message = "an existing partition is not found by its label alone";
            findings.warning("partition-by-label", at, message);
            findings.hint(format!(
                "give `number`, or `wipe_table: true`, or use {BOOT_DISK}"
            ));
        }
    }
}

fn check_mount_points(storage: &Object, findings: &mut Findings) {
    let filesystems = storage.items("filesystems").iter();
    for filesystem in filesystems.filter_map(Node::as_object) {
        let Some(path) = filesystem.get("path") else {
            continue;
        };
        let text = path.as_text().unwrap_or_default();
        let below = |top: &str| {
            let rest = text.strip_prefix(top);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if filesystem.is_true("with_mount_unit") && !below("/etc") && !below("/var") {
            let message = format!(
                "{} is not below /etc or /var, where mount units may be",
                quote(text)
            );
            findings.error("mount-point-forbidden", path.span, message);
        }
    }
}

fn number_of(partition: &Object) -> i64 {
    let number = partition.get("number");
    number.and_then(Node::as_integer).unwrap_or_default()
}

fn check_numbers(disk: &Object, findings: &mut Findings) {
    for partition in disk.items("partitions").iter().filter_map(Node::as_object) {
        let Some(label) = partition.get("label") else {
            continue;
        };
        let text = label.as_text().unwrap_or_default();
        let known = NUMBERS.iter().find(|(name, _)| *name == text);
        if let Some((_, number)) = known.filter(|(_, number)| *number != number_of(partition)) {
            let message = format!(
                "label `{text}` belongs to partition {number}: a second partition of that label \
                 would be made"
            );
            findings.warning("partition-number-unexpected", label.span, message);
            findings.hint(format!("add `number: {number}`, or choose another label"));
        }
    }
}

fn mebibytes(partition: &Node, field: &str) -> i64 {
    let value = partition.as_object().and_then(|object| object.get(field));
    value.and_then(Node::as_integer).unwrap_or_default()
}

fn check_root(disk: &Object, findings: &mut Findings) {
    let partitions = disk.items("partitions");
    // From the end, so that all that follow each partition are known in one pass.
    let mut followed = false;
    for node in partitions.iter().rev() {
        let partition = node.as_object();
        let label = partition.and_then(|partition| partition.get("label"));
        if let Some(label) = label.filter(|label| label.as_text() == Some("root")) {
            let size = mebibytes(node, "sizeMiB");
            if size == 0 && followed {
                let message = "the root partition has no size, and a partition without start \
                               after it may take its room";
                findings.warning("root-squeezed", label.span, message);
                findings.hint("give root a `size_mib` of 8192 or more");
            } else if size != 0 && size < ROOT_MIB {
                let at = partition.and_then(|partition| partition.get("sizeMiB"));
                let at = at.map_or(node.span, |size| size.span);
                let message = format!("a root partition of {size} MiB is too small for updates");
                findings.warning("root-too-small", at, message);
                findings.hint("8192 MiB or more are recommended");
            }
        }
        followed |= mebibytes(node, "startMiB") == 0;
    }
}

#[cfg(test)]
mod tests;
