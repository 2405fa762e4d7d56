//! Findings as text: where each stands, in the words of its language, safe for a terminal.
//!
//! The one-line form is that of the original tools' raw errors. Excerpts are in
//! [`super::excerpt`], JSON in [`super::report`]. Nothing is printed here.

use std::fmt;

use super::{At, Finding};
use crate::tree::raw::RawValue;
use crate::tree::{Source, Sources};

/// Makes text of findings.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    pub(super) sources: &'a Sources,
    redact: Option<&'a dyn Fn(&str) -> String>,
}

impl fmt::Debug for Renderer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer")
            .field("sources", &self.sources.len())
            .field("redacts", &self.redact.is_some())
            .finish()
    }
}

impl<'a> Renderer<'a> {
    /// For findings in `sources`.
    pub fn new(sources: &'a Sources) -> Self {
        let redact = None;
        Self { sources, redact }
    }

    /// Passes every message, hint and line of a config through `redact`, which hides secrets.
    #[must_use]
    pub fn redacting(mut self, redact: &'a dyn Fn(&str) -> String) -> Self {
        self.redact = Some(redact);
        self
    }

    /// One line without its end: `error at $.storage.files.0.mode, line 7 col 13: text`; with
    /// the config's name before it where there are several, and without a path where the config
    /// could not be read.
    pub fn line(&self, finding: &Finding) -> String {
        let name = self.name(finding.at);
        let kind = finding.severity.name();
        let place = self.path_and_place(finding.at);
        let message = self.redacted(&finding.message);
        plain(&format!("{name}{kind} at {place}: {message}"))
    }

    /// Where `at` is: `$.storage.files.0.mode, line 7 col 13`, with the config's name before it
    /// where there are several.
    pub fn place(&self, at: At) -> String {
        let place = self.path_and_place(at);
        plain(&format!("{}{place}", self.name(at)))
    }

    fn name(&self, at: At) -> String {
        match self.source(at) {
            Some(source) if self.sources.len() > 1 => format!("{}: ", source.name),
            _ => String::new(),
        }
    }

    fn path_and_place(&self, at: At) -> String {
        let place = self.sources.place(at.span);
        match self.path(at) {
            Some(path) => format!("{path}, {place}"),
            None => place.to_string(),
        }
    }

    /// The path of the value, key or absent field; none in a text that has no tree.
    pub(super) fn path(&self, at: At) -> Option<String> {
        let tree = self.source(at)?.tree.as_ref()?;
        let path = self.sources.path(at.span);
        Some(match at.absent {
            None => path,
            Some(name) if is_butane(&tree.value) => format!("{path}.{}", snake_case(name)),
            Some(name) => format!("{path}.{name}"),
        })
    }

    pub(super) fn source(&self, at: At) -> Option<&'a Source> {
        self.sources.get(at.span.source)
    }

    pub(super) fn redacted(&self, text: &str) -> String {
        self.redact
            .map_or_else(|| text.to_owned(), |redact| redact(text))
    }
}

/// Only Butane has a variant.
fn is_butane(document: &RawValue) -> bool {
    matches!(document, RawValue::Map(entries) if entries.iter().any(|entry| entry.key == "variant"))
}

/// Butane's spelling of an Ignition name.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for letter in name.replace("MiB", "Mib").chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Control characters, line ends too, in a form that cannot steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}
