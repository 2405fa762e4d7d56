//! Findings as one JSON document, for programs. Fields are only ever added to version 1.

use serde::Serialize;

use super::{Finding, Renderer, Severity};

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Of this form: 1.
    pub version: u32,
    /// What was found.
    pub findings: Vec<Entry>,
    /// How many of the findings are errors.
    pub errors: usize,
    /// How many of the findings are warnings.
    pub warnings: usize,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The rule's stable name.
    pub code: &'static str,
    /// Where in the document, such as `$.storage.files.0.mode`; absent if it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The config's name.
    pub source: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Renderer<'_> {
    /// The document about `findings`.
    pub fn report(&self, findings: &[Finding]) -> Report {
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        let errors = errors.count();
        Report {
            version: 1,
            findings: findings.iter().map(|finding| self.entry(finding)).collect(),
            errors,
            warnings: findings.len() - errors,
        }
    }

    fn entry(&self, finding: &Finding) -> Entry {
        let place = self.sources.place(finding.at.span);
        let source = self.source(finding.at);
        Entry {
            severity: finding.severity.name(),
            code: finding.code,
            path: self.path(finding.at),
            line: place.line,
            column: place.column,
            source: source.map_or_else(String::new, |source| source.name.clone()),
            message: self.redacted(&finding.message),
            hint: finding.hint.as_deref().map(|hint| self.redacted(hint)),
        }
    }
}
