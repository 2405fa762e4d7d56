//! Puts variables into the scalars of a tree; keys stay as they are.
//!
//! `${{ name }}` stands for a value, `$${{` for the text `${{`. A plain scalar that is one
//! variable and nothing else stays plain, so that it can become a number or a boolean; everything
//! else becomes text. Values are not looked into again. Places stay those of the template.

use super::{Variables, is_name};
use crate::finding::{Finding, Findings, quote};
use crate::tree::Span;
use crate::tree::nearest::nearest;
use crate::tree::raw::{RawNode, RawValue, Scalar};

const OPEN: &str = "${{";
const CLOSE: &str = "}}";
/// How many bytes all values together may add to one tree.
const BUDGET: usize = 64 << 20;

/// Replaces every variable in `root`. If no variables were given the tree stays as it is, with a
/// warning when it names one: such texts had no meaning to the original tool.
pub fn substitute(root: &mut RawNode, variables: &Variables, findings: &mut Findings) {
    if !variables.given() {
        if let Some((span, name)) = first_reference(root) {
            let name = quote(&name);
            let message = format!("no variables are given, the reference to {name} stays as text");
            findings.warning("variable-without-values", span, message);
        }
        return;
    }
    let mut substituter = Substituter {
        variables,
        left: BUDGET,
    };
    substituter.node(root, findings);
}

struct Substituter<'v> {
    variables: &'v Variables,
    left: usize,
}

/// A text up to its next variable.
enum Piece<'t> {
    /// Text before an escaped opening, which is text as well.
    Escaped(&'t str),
    /// Text, and the name of the variable that follows it.
    Variable(&'t str, &'t str),
    /// Text before an opening that no name or end follows.
    Broken,
}

/// The first piece of `text`, and what is left; nothing if only text is left.
fn piece(text: &str) -> Option<(Piece<'_>, &str)> {
    let (before, after) = text.split_once(OPEN)?;
    if let Some(before) = before.strip_suffix('$') {
        return Some((Piece::Escaped(before), after));
    }
    let named = after
        .split_once(CLOSE)
        .map(|(inside, rest)| (inside.trim(), rest));
    Some(match named {
        Some((name, rest)) if is_name(name) => (Piece::Variable(before, name), rest),
        _ => (Piece::Broken, after),
    })
}

impl Substituter<'_> {
    fn node(&mut self, node: &mut RawNode, findings: &mut Findings) {
        let span = node.span;
        match &mut node.value {
            RawValue::List(items) => {
                for item in items {
                    self.node(item, findings);
                }
            }
            RawValue::Map(entries) => {
                for entry in entries {
                    self.node(&mut entry.value, findings);
                }
            }
            RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text)) if !text.contains(OPEN) => {}
            RawValue::Scalar(scalar) => match self.scalar(scalar, span) {
                Ok(changed) => *scalar = changed,
                Err(finding) => findings.add(finding),
            },
        }
    }

    fn scalar(&mut self, scalar: &Scalar, span: Span) -> Result<Scalar, Finding> {
        let (text, plain) = match scalar {
            Scalar::Text(text) => (text, false),
            Scalar::Plain(text) => (text, true),
            other => return Ok(other.clone()),
        };
        if let Some((Piece::Variable("", name), "")) = piece(text)
            && plain
        {
            return Ok(Scalar::Plain(self.value(name, span)?.into()));
        }
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((piece, after)) = piece(rest) {
            match piece {
                Piece::Escaped(before) => {
                    out.push_str(before);
                    out.push_str(OPEN);
                }
                Piece::Variable(before, name) => {
                    out.push_str(before);
                    out.push_str(self.value(name, span)?);
                }
                Piece::Broken => {
                    let message = "`${{` must be followed by the name of a variable and `}}`";
                    let mut finding = Finding::error("variable-syntax", span, message);
                    finding.hint = Some("write `$${{` where the text `${{` is meant".into());
                    return Err(finding);
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(Scalar::Text(out))
    }

    fn value(&mut self, name: &str, span: Span) -> Result<&str, Finding> {
        let Some(variable) = self.variables.get(name) else {
            let message = format!("variable {} has no value", quote(name));
            let mut finding = Finding::error("undefined-variable", span, message);
            let near = nearest(name, self.variables.names());
            finding.hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err(finding);
        };
        let left = self.left.checked_sub(variable.value.len());
        self.left = left.ok_or_else(|| {
            let message = format!("variables add more than {} MiB", BUDGET >> 20);
            Finding::error("variables-too-large", span, message)
        })?;
        Ok(&variable.value)
    }
}

/// The first scalar that names a variable.
fn first_reference(node: &RawNode) -> Option<(Span, String)> {
    match &node.value {
        RawValue::List(items) => items.iter().find_map(first_reference),
        RawValue::Map(entries) => entries
            .iter()
            .find_map(|entry| first_reference(&entry.value)),
        RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text)) => {
            let mut rest = text.as_str();
            while let Some((piece, after)) = piece(rest) {
                if let Piece::Variable(_, name) = piece {
                    return Some((node.span, name.into()));
                }
                rest = after;
            }
            None
        }
        RawValue::Scalar(_) => None,
    }
}
