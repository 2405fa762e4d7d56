//! What a config must be beyond the types of its fields: the rules of Ignition's specifications
//! 3.0.0 to 3.7.0-experimental, each at the versions that have it.
//!
//! All findings of a config are given in one run. Unknown fields and wrong types are found while
//! reading; what only Butane asks for is in `butane`. A file a section; codes are in [`codes`].

mod clevis;
pub mod codes;
mod conflicts;
mod disks;
mod document;
mod filesystems;
mod item;
mod links;
mod luks;
mod nodes;
mod partitions;
mod paths;
mod raid;
mod resource;
mod systemd;
mod table;

use item::Item;

use crate::finding::{At, Findings, quote};
use crate::schema::{Minor, ROOT, version};
use crate::tree::node::Node;

/// Checks a config of spec `3.minor.0`.
pub fn check(config: &Node, minor: Minor, findings: &mut Findings) {
    let Some(config) = Item::of(config) else {
        return;
    };
    let report = &mut Report { minor, findings };
    if let Some(ignition) = config.child("ignition") {
        document::check(ignition, report);
    }
    if let Some(storage) = config.child("storage") {
        disks::check(storage, report);
        raid::check(storage, report);
        filesystems::check(storage, report);
        luks::check(storage, report);
        nodes::check(storage, report);
        links::check(storage, report);
    }
    if let Some(systemd) = config.child("systemd") {
        systemd::check(systemd, report);
    }
    conflicts::check(config, report);
    table::check(&ROOT, config, report);
}

/// Where the rules of one run write to.
struct Report<'f> {
    minor: Minor,
    findings: &'f mut Findings,
}

impl Report<'_> {
    fn error(&mut self, code: &'static str, at: impl Into<At>, message: impl Into<String>) {
        self.findings.error(code, at, message);
    }

    fn warning(&mut self, code: &'static str, at: impl Into<At>, message: impl Into<String>) {
        self.findings.warning(code, at, message);
    }

    fn hint(&mut self, hint: impl Into<String>) {
        self.findings.hint(hint);
    }

    /// Hints at the version that a value needs.
    fn hint_since(&mut self, what: &str, minor: Minor) {
        let (what, needed) = (quote(what), version(minor));
        self.hint(format!("{what} needs version {needed} or later"));
    }
}

#[cfg(test)]
mod tests;
