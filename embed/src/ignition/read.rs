//! A config as text, read and checked at the spec that it declares, with all findings and their
//! places.
//!
//! What it refers to is not looked at: that is `render`. A config of a newer stable spec than we
//! know is a warning and stays unchecked.

use super::document::{self, Declared, Refusal};
use super::{Config, Tree};
use crate::finding::Findings;
use crate::schema::Language;
use crate::tree::raw::RawNode;
use crate::tree::{SourceId, Sources, Span, typed};

/// What is accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Also the spec under construction.
    pub experimental: bool,
}

/// A config without errors.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The bytes as they were given, and their version.
    pub config: Config,
    /// Its text.
    pub source: SourceId,
    /// Its values; none if its spec is newer than this program knows.
    pub tree: Option<Tree>,
}

/// Reads the config `bytes`, which the user calls `name`, and keeps its text in `sources`.
/// Gives it unless there are errors among the findings.
pub fn read(
    sources: &mut Sources,
    name: &str,
    bytes: impl Into<Vec<u8>>,
    options: &ReadOptions,
) -> (Option<Checked>, Findings) {
    let mut findings = Findings::new();
    let checked = checked(sources, name, bytes.into(), options, &mut findings);
    (checked.filter(|_| !findings.has_errors()), findings)
}

fn checked(
    sources: &mut Sources,
    name: &str,
    bytes: Vec<u8>,
    options: &ReadOptions,
    findings: &mut Findings,
) -> Option<Checked> {
    let text = String::from_utf8_lossy(&bytes);
    let source = match sources.add(name, text.as_ref()) {
        Ok(source) => source,
        Err(error) => {
            findings.error("too-much", Span::default(), error.to_string());
            return None;
        }
    };
    if let Err(error) = std::str::from_utf8(&bytes) {
        let at = place(source, error.valid_up_to());
        findings.error("not-utf8", at, "the config is not UTF-8 text");
        return None;
    }
    let mut refused = |refusal: Box<Refusal>| findings.add(refusal.finding);
    let raw = document::open(source, &text).map_err(&mut refused).ok()?;
    let declared = document::accept(&raw, options.experimental).map_err(&mut refused);
    let tree = declared
        .as_ref()
        .ok()
        .and_then(|declared| tree(&raw, declared, findings));
    sources.set_tree(source, raw);
    let config = Config::of(bytes, declared.ok()?);
    Some(Checked {
        config,
        source,
        tree,
    })
}

fn place(source: SourceId, byte: usize) -> Span {
    let start = u32::try_from(byte).unwrap_or(u32::MAX);
    let end = start;
    Span { source, start, end }
}

fn tree(raw: &RawNode, declared: &Declared, findings: &mut Findings) -> Option<Tree> {
    let Some(minor) = declared.minor else {
        let version = &declared.version;
        let message = format!("Ignition {version} is newer than this program: nothing is checked");
        findings.warning("version-newer", declared.span, message);
        return None;
    };
    let root = typed::read(raw, Language::Ignition(minor), findings);
    let tree = Tree::new(root, minor);
    // Values of a wrong type were left out, and would be reported as missing, too.
    if !findings.has_errors() {
        tree.check(findings);
    }
    Some(tree)
}

#[cfg(test)]
mod tests;
