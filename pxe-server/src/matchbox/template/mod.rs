//! The part of Go's `text/template` that matchbox's users write: fields, variables, pipelines,
//! `if`, `range`, `with`, `define`, `template`, `block`, comparisons, `index`, `len`, `printf`, and
//! trimming of white space. As with matchbox, a field that is not there is an error.
//!
//! Values are JSON. Steps, depth and output are bounded. `lex` and `parse` know nothing of values.

mod eval;
mod functions;
mod lex;
mod parse;

use serde_json::Value;

/// Why nothing was rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TemplateError {
    /// Line of the template, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl TemplateError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }
}

/// Renders the template `text` with `data` as its dot.
pub fn render(text: &str, data: &Value) -> Result<String, TemplateError> {
    let template = parse::parse(lex::lex(text)?)?;
    eval::run(&template, data)
}

/// Refuses text that is no template.
pub fn check(text: &str) -> Result<(), TemplateError> {
    parse::parse(lex::lex(text)?).map(drop)
}

#[cfg(test)]
mod tests;
