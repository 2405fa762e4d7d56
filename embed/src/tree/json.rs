//! Reads JSON text (RFC 8259) into a [`RawNode`] with the place of every key and value.
//!
//! Accepts and refuses what existing Ignition configs rely on: keys may repeat, a lone surrogate
//! becomes U+FFFD; comments, NaN, a byte order mark and text after the end are errors. Types and
//! field names are not known here. Nesting costs memory, never stack.

mod lexer;

use super::raw::{RawEntry, RawNode, RawValue, Scalar};
use super::{SourceId, Span};
use crate::finding::Finding;

use lexer::Lexer;

/// The deepest nesting that is accepted.
const DEEPEST: usize = 10_000;
/// Lists and maps below this depth are checked but come out empty: no field lies that deep, and
/// what walks the tree recursively, as dropping it does, must not run out of stack.
const KEPT: usize = 128;

/// Reads the whole of `text`.
pub fn read(source: SourceId, text: &str) -> Result<RawNode, Finding> {
    let reader = Reader {
        lexer: Lexer::new(source, text),
        open: Vec::new(),
    };
    reader.document()
}

struct Reader<'t> {
    lexer: Lexer<'t>,
    open: Vec<Container>,
}

/// A list or map whose end has not been reached.
struct Container {
    start: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<RawNode>),
    /// Entries, and the key whose value comes next.
    Map(Vec<RawEntry>, (String, Span)),
}

impl Reader<'_> {
    fn document(mut self) -> Result<RawNode, Finding> {
        if self.lexer.peek().is_none() {
            let message = "the config is empty";
            return Err(Finding::error("empty", self.lexer.here(), message));
        }
        loop {
            let mut whole = self.begin()?;
            while let Some(node) = whole {
                if self.open.is_empty() {
                    return self.finish(node);
                }
                whole = self.attach(node)?;
            }
        }
    }

    /// Reads a scalar, an empty list or an empty map; or opens a list or map and gives nothing.
    fn begin(&mut self) -> Result<Option<RawNode>, Finding> {
        let byte = self.lexer.peek();
        let start = self.lexer.at();
        match byte {
            Some(b'[') => {
                self.descend()?;
                let inside = Inside::List(Vec::new());
                if self.lexer.take(b']') {
                    return Ok(Some(self.close(start, inside)));
                }
                self.open.push(Container { start, inside });
                Ok(None)
            }
            Some(b'{') => {
                self.descend()?;
                if self.lexer.take(b'}') {
                    let value = RawValue::Map(Vec::new());
                    let span = self.lexer.since(start);
                    return Ok(Some(RawNode { span, value }));
                }
                let key = self.key()?;
                let inside = Inside::Map(Vec::new(), key);
                self.open.push(Container { start, inside });
                Ok(None)
            }
            _ => {
                let scalar = match byte {
                    Some(b'"') => Scalar::Text(self.lexer.string()?),
                    Some(b'-' | b'0'..=b'9') => Scalar::Number(self.lexer.number()?),
                    _ => self.lexer.word()?,
                };
                let value = RawValue::Scalar(scalar);
                let span = self.lexer.since(start);
                Ok(Some(RawNode { span, value }))
            }
        }
    }

    /// Steps over an opening bracket.
    fn descend(&mut self) -> Result<(), Finding> {
        if self.open.len() >= DEEPEST {
            let message = format!("values are nested more than {DEEPEST} deep");
            return Err(Finding::error("too-deep", self.lexer.here(), message));
        }
        self.lexer.step();
        Ok(())
    }

    fn key(&mut self) -> Result<(String, Span), Finding> {
        if self.lexer.peek() != Some(b'"') {
            return Err(self.lexer.unexpected("a key in double quotes"));
        }
        let start = self.lexer.at();
        let key = self.lexer.string()?;
        let span = self.lexer.since(start);
        if !self.lexer.take(b':') {
            return Err(self.lexer.unexpected("`:` after the key"));
        }
        Ok((key, span))
    }

    /// Puts a value into the innermost open list or map, which it gives back if that ends here.
    fn attach(&mut self, node: RawNode) -> Result<Option<RawNode>, Finding> {
        let Some(Container { start, mut inside }) = self.open.pop() else {
            return Ok(Some(node));
        };
        let end = match &inside {
            Inside::List(_) => b']',
            Inside::Map(..) => b'}',
        };
        let more = self.lexer.take(b',');
        if !more && !self.lexer.take(end) {
            return Err(self.lexer.unexpected(match end {
                b']' => "`,` or `]` after the item",
                _ => "`,` or `}` after the value",
            }));
        }
        match &mut inside {
            Inside::List(items) => items.push(node),
            Inside::Map(entries, next) => {
                let following = if more {
                    self.key()?
                } else {
                    Default::default()
                };
                let (key, key_span) = std::mem::replace(next, following);
                let value = node;
                entries.push(RawEntry {
                    key,
                    key_span,
                    value,
                });
            }
        }
        if more {
            self.open.push(Container { start, inside });
            return Ok(None);
        }
        Ok(Some(self.close(start, inside)))
    }

    fn close(&self, start: usize, inside: Inside) -> RawNode {
        let kept = self.open.len() < KEPT;
        let value = match inside {
            Inside::List(items) => RawValue::List(if kept { items } else { Vec::new() }),
            Inside::Map(entries, _) => RawValue::Map(if kept { entries } else { Vec::new() }),
        };
        let span = self.lexer.since(start);
        RawNode { span, value }
    }

    fn finish(mut self, node: RawNode) -> Result<RawNode, Finding> {
        match self.lexer.peek() {
            None => Ok(node),
            Some(_) => Err(self.lexer.unexpected("nothing after the end of the config")),
        }
    }
}

#[cfg(test)]
mod tests;
