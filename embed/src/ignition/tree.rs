//! A config whose values have the types of its spec, and what is done with whole ones: checked,
//! upgraded, combined, written.
//!
//! What each of these means is in [`super::upgrade`], [`super::merge`] and the rules.

use super::contents;
use super::document;
use super::network::{self, Need};
use super::{Config, merge, rules, upgrade};
use crate::finding::Findings;
use crate::schema::{Minor, version};
use crate::tree::Span;
use crate::tree::node::Node;
use crate::tree::write;

/// A config of a known spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    minor: Minor,
    root: Node,
}

impl Tree {
    /// The config `root`, which is of spec `minor` and declares it.
    pub fn new(root: Node, minor: Minor) -> Self {
        Self { minor, root }
    }

    /// The spec.
    pub fn minor(&self) -> Minor {
        self.minor
    }

    /// The values.
    pub fn root(&self) -> &Node {
        &self.root
    }

    pub(super) fn root_mut(&mut self) -> &mut Node {
        &mut self.root
    }

    /// The values.
    pub fn into_root(self) -> Node {
        self.root
    }

    /// The same config in spec `minor`, or as it is if it is as new already.
    #[must_use]
    pub fn upgraded(self, minor: Minor) -> Self {
        let root = upgrade::upgrade(self.root, self.minor, minor);
        let minor = self.minor.max(minor);
        Self { minor, root }
    }

    /// `child` merged over this config, both brought to the newer spec of the two. The result is
    /// not checked.
    #[must_use]
    pub fn merged(self, child: Self) -> Self {
        let minor = self.minor.max(child.minor);
        let (parent, child) = (self.upgraded(minor), child.upgraded(minor));
        let root = merge::merge(parent.root, child.root);
        Self { minor, root }
    }

    /// Checks it by the rules of its spec, and warns of contents that no machine would take.
    pub fn check(&self, findings: &mut Findings) {
        rules::check(&self.root, self.minor, findings);
        contents::check(&self.root, contents::BYTES, findings);
    }

    /// What of it needs the network, configs in `data:` URLs not looked into.
    pub fn needs(&self) -> Vec<Need> {
        network::needs(&self.root)
    }

    /// The config as JSON, in one line or indented, with a final newline.
    pub fn to_json(&self, pretty: bool) -> String {
        write::json(&self.root, pretty)
    }

    /// The config as the bytes that a machine gets: JSON in one line.
    pub fn to_config(&self) -> Config {
        let declared = document::Declared {
            version: version(self.minor).to_owned(),
            span: Span::default(),
            minor: Some(self.minor),
        };
        Config::of(self.to_json(false).into_bytes(), declared)
    }
}

#[cfg(test)]
mod tests;
