//! Links: their targets, and the owners that hard links cannot have.
//! What lies beneath a link is in [`super::conflicts`].

use std::collections::HashSet;

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::syntax::path;

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    let directories = storage.items("directories");
    let directories: HashSet<_> = directories.filter_map(|item| item.text("path")).collect();
    for link in storage.items("links") {
        let Some(target) = link.filled("target") else {
            // Before 3.3.0 the target was a plain string, and not asked for.
            if report.minor >= 3 {
                let at = link.at("target");
                report.error(codes::LINK_TARGET_MISSING, at, "`target` is missing");
            }
            continue;
        };
        if link.is_true("hard") {
            check_hard(link, target, &directories, report);
        }
    }
}

fn check_hard(link: Item<'_>, target: &str, directories: &HashSet<&str>, report: &mut Report<'_>) {
    let target = if target.starts_with('/') {
        path::clean(target)
    } else {
        let path = link.text("path").unwrap_or_default();
        path::clean(&format!("{path}/{target}"))
    };
    if directories.contains(target.as_str()) {
        let message = format!("hard link points to directory {}", quote(&target));
        report.error(codes::HARD_LINK_TO_DIRECTORY, link.span, message);
        report.hint("make it a symbolic link");
    }
    for owner in ["user", "group"] {
        let Some(item) = link.child(owner) else {
            continue;
        };
        for field in ["id", "name"] {
            if item.has(field) {
                let message = format!("{owner} of a hard link is ignored; it has its target's");
                report.warning(codes::HARD_LINK_OWNER, item.at(field), message);
            }
        }
    }
}
