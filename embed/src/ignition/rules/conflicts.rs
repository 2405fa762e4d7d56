//! Files, directories and links that cannot be together with each other or with units: what is
//! beneath a link, and what is where a unit is written.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;

/// Where Ignition writes units.
const UNITS: &str = "/etc/systemd/system/";

/// The lists of nodes with what messages call an item.
const LISTS: [(&str, &str); 3] = [
    ("files", "file"),
    ("directories", "directory"),
    ("links", "link"),
];

struct Entry<'a> {
    path: &'a str,
    kind: &'static str,
    item: Item<'a>,
}

pub(super) fn check(config: Item<'_>, report: &mut Report<'_>) {
    let Some(storage) = config.child("storage") else {
        return;
    };
    let mut entries = Vec::new();
    for (list, kind) in LISTS {
        for item in storage.items(list) {
            let path = item.text("path").unwrap_or_default();
            entries.push(Entry { path, kind, item });
        }
    }
    if let Some(systemd) = config.child("systemd") {
        let units = unit_paths(systemd);
        for entry in entries.iter().filter(|entry| units.contains(entry.path)) {
            let message = format!(
                "{} {} is a unit of this config",
                entry.kind,
                quote(entry.path)
            );
            report.error(codes::PATH_IS_UNIT, entry.item.at("path"), message);
        }
    }
    beneath_links(entries, report);
}

/// Where units and drop-ins with contents are written.
fn unit_paths(systemd: Item<'_>) -> HashSet<String> {
    let mut paths = HashSet::new();
    for unit in systemd.items("units") {
        let name = unit.text("name").unwrap_or_default();
        if unit.filled("contents").is_some() {
            paths.insert(format!("{UNITS}{name}"));
        }
        for dropin in unit.items("dropins") {
            if dropin.filled("contents").is_some() {
                let dropin = dropin.text("name").unwrap_or_default();
                paths.insert(format!("{UNITS}{name}.d/{dropin}"));
            }
        }
    }
    paths
}

/// Walks the paths so that whatever is beneath a path follows it at once, keeping the links that
/// the walk is beneath: no pair is compared that is not near.
fn beneath_links(mut entries: Vec<Entry<'_>>, report: &mut Report<'_>) {
    entries.sort_by(|one, other| by_component(one.path, other.path));
    let mut links: Vec<&str> = Vec::new();
    for entry in &entries {
        while links.last().is_some_and(|link| !covers(link, entry.path)) {
            links.pop();
        }
        let above = links.iter().rev().find(|link| **link != entry.path);
        if let Some(link) = above {
            let kind = entry.kind;
            let message = format!(
                "{kind} {} is beneath link {}",
                quote(entry.path),
                quote(link)
            );
            report.error(codes::PATH_BENEATH_LINK, entry.item.span, message);
        }
        if entry.kind == "link" && links.last() != Some(&entry.path) {
            links.push(entry.path);
        }
    }
}

/// Whether `path` is `link` or beneath it.
fn covers(link: &str, path: &str) -> bool {
    let rest = path.strip_prefix(link);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Byte order, but with the slash before everything else.
fn by_component(one: &str, other: &str) -> Ordering {
    let rank = |byte| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    one.bytes().map(rank).cmp(other.bytes().map(rank))
}
