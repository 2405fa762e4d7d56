//! What is wrong, or doubtful, in a config, and where: collected, never printed here.
//!
//! One run gives all findings of a config. [`Renderer`] makes text of them: one line each, an
//! excerpt with a caret, or JSON.

mod excerpt;
mod render;
mod report;

pub use excerpt::Color;
pub use render::Renderer;
pub use report::{Entry, Report};

use std::cmp::Reverse;

use crate::tree::Span;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The config is used as it is.
    Warning,
    /// The config is refused.
    Error,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Stable name of the rule, kebab-case: what programs tell findings apart by.
    pub code: &'static str,
    /// Where.
    pub at: At,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

impl Finding {
    /// An error without a hint.
    pub fn error(code: &'static str, at: impl Into<At>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            at: at.into(),
            message: message.into(),
            hint: None,
        }
    }
}

/// The longest value that a message quotes in full, in characters.
const QUOTED: usize = 80;
/// What follows a value that is not quoted in full.
pub(crate) const CUT: char = '…';

/// A value as messages quote it: in backticks, without control characters, and not too long.
pub fn quote(value: &str) -> String {
    let mut letters = value.chars();
    let start: String = letters.by_ref().take(QUOTED).collect();
    let mut out = format!("`{}", printable(&start));
    out.extend(letters.next().map(|_| CUT));
    out.push('`');
    out
}

/// A text with what a terminal would obey, or would not show, escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars().flat_map(shown).collect()
}

/// A character, escaped where a terminal would not show it as one.
fn shown(letter: char) -> impl Iterator<Item = char> {
    let plain = !letter.is_control()
        && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let escaped = (!plain).then(|| letter.escape_default());
    let kept = plain.then_some(letter);
    kept.into_iter().chain(escaped.into_iter().flatten())
}

/// Where a finding belongs: a value (or key), or a field that is absent from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The value or the key; of an absent field, the object that lacks it.
    pub span: Span,
    /// The absent field, by its Ignition name.
    pub absent: Option<&'static str>,
}

impl From<Span> for At {
    fn from(span: Span) -> Self {
        let absent = None;
        Self { span, absent }
    }
}

impl At {
    /// A field that the object at `span` lacks.
    pub fn absent(span: Span, field: &'static str) -> Self {
        let absent = Some(field);
        Self { span, absent }
    }
}

/// So many findings are enough to mend a config by, and cheap to find the places of.
const SHOWN: usize = 1000;

/// All findings of a run, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error.
    pub fn error(&mut self, code: &'static str, at: impl Into<At>, message: impl Into<String>) {
        self.push(Severity::Error, code, at.into(), message.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: &'static str, at: impl Into<At>, message: impl Into<String>) {
        self.push(Severity::Warning, code, at.into(), message.into());
    }

    /// Adds a finding that a reader gave back.
    pub fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    fn push(&mut self, severity: Severity, code: &'static str, at: At, message: String) {
        let hint = None;
        self.0.push(Finding {
            severity,
            code,
            at,
            message,
            hint,
        });
    }

    /// Says how to mend the finding that was added last.
    pub fn hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.0.last_mut() {
            last.hint = Some(hint.into());
        }
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// Sorted by place, errors before warnings, each kept once though it was found again after
    /// merging: what a user reads from top to bottom. Of more than 1000 the rest is counted only,
    /// warnings first.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        let order = |finding: &Finding| (finding.at.span, Reverse(finding.severity), finding.code);
        self.0.sort_by(|one, other| {
            let by_place = order(one).cmp(&order(other));
            by_place.then_with(|| one.message.cmp(&other.message))
        });
        self.0.dedup();
        if self.0.len() > SHOWN {
            self.0.sort_by_key(|finding| Reverse(finding.severity));
            let rest = self.0.split_off(SHOWN);
            self.0.sort_by_key(|finding| finding.at.span);
            let worst = rest.iter().max_by_key(|finding| finding.severity);
            self.0.extend(worst.map(|worst| Finding {
                severity: worst.severity,
                code: "more-findings",
                at: worst.at,
                message: format!("{} more findings are not shown", rest.len()),
                hint: None,
            }));
        }
        self.0
    }
}

impl Severity {
    /// `warning` or `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests;
