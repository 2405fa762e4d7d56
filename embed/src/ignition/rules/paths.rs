//! Fields that hold absolute paths: of nodes, of devices, of mount points.
//! Whether anything is there is not asked: the machine is not at hand.

use super::item::Item;
use super::{Report, codes};
use crate::finding::{At, quote};
use crate::ignition::syntax::path::{self, PathError};

/// A path that must be there.
pub(super) fn required(item: Item<'_>, name: &'static str, report: &mut Report<'_>) {
    let path = item.text(name).unwrap_or_default();
    value(path, item.at(name), name, report);
}

/// A path that may be absent or empty.
pub(super) fn optional(item: Item<'_>, name: &'static str, report: &mut Report<'_>) {
    if item.filled(name).is_some() {
        required(item, name, report);
    }
}

/// A path that stands `at` and is called `name` in messages.
pub(super) fn value(path: &str, at: At, name: &str, report: &mut Report<'_>) {
    match path::check(path) {
        Ok(()) => {}
        Err(PathError::Empty) => {
            report.error(codes::PATH_MISSING, at, format!("`{name}` is missing"));
        }
        Err(PathError::Relative) => {
            let message = format!("{name} {} is not absolute", quote(path));
            report.error(codes::PATH_RELATIVE, at, message);
        }
        Err(PathError::Unclean(clean)) => {
            let message = format!("{name} {} is not in its shortest spelling", quote(path));
            report.error(codes::PATH_UNCLEAN, at, message);
            report.hint(format!("write {}", quote(&clean)));
        }
    }
}
