//! Files, directories and links each by itself: path, owner, mode, contents.
//! What they are to each other is in [`super::links`] and [`super::conflicts`].

use super::item::Item;
use super::{Report, codes, paths, resource};

/// The spec that gives setuid, setgid and sticky bits a meaning.
const SPECIAL_BITS_SINCE: u8 = 6;

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    for file in storage.items("files") {
        check_node(file, report);
        check_mode(file, report);
        let contents = file.child("contents");
        if let Some(contents) = contents {
            resource::contents(contents, report);
        }
        for appended in file.items("append") {
            resource::contents(appended, report);
        }
        let has_source = contents.is_some_and(|contents| contents.has("source"));
        if file.is_true("overwrite") && !has_source {
            let message = "file is to be overwritten, and its contents have no `source`";
            report.error(
                codes::OVERWRITE_WITHOUT_SOURCE,
                file.at("overwrite"),
                message,
            );
            report.hint("an empty `source` makes an empty file");
        }
    }
    for directory in storage.items("directories") {
        check_node(directory, report);
        check_mode(directory, report);
    }
    for link in storage.items("links") {
        check_node(link, report);
    }
}

fn check_node(node: Item<'_>, report: &mut Report<'_>) {
    paths::required(node, "path", report);
    for name in ["user", "group"] {
        let Some(owner) = node.child(name) else {
            continue;
        };
        if owner.has("id") && owner.filled("name").is_some() {
            let message = format!("{name} is given by `id` and by `name`");
            report.error(codes::OWNER_TWICE, owner.span, message);
            report.hint("leave one of them out");
        }
    }
}

fn check_mode(node: Item<'_>, report: &mut Report<'_>) {
    let Some(mode) = node.integer("mode") else {
        return;
    };
    let at = node.at("mode");
    if !(0..=0o7777).contains(&mode) {
        let message = format!("mode {mode} is not between 0 and 4095 (octal 7777)");
        report.error(codes::MODE_OUT_OF_RANGE, at, message);
        report.hint("octal modes are written 0644 in Butane; in Ignition 0644 is 420");
    } else if mode & 0o7000 != 0 && report.minor < SPECIAL_BITS_SINCE {
        let message =
            format!("setuid, setgid and sticky bits of mode {mode} (octal {mode:o}) are ignored");
        report.warning(codes::MODE_SPECIAL_BITS, at, message);
        report.hint("version 3.6.0 or later sets them");
    }
}
