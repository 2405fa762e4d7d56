//! Configs as trees that know where each value stands in its text.
//!
//! [`raw`] is what a reader saw, [`node`] is the same after the schema gave each value its type.
//! [`json`] reads and [`typed`] gives types, [`write`](mod@write) goes back to text; here are
//! [`Span`] and [`Sources`]. Checking is elsewhere.

pub mod json;
pub(crate) mod nearest;
pub mod node;
pub mod raw;
mod scalar;
pub mod typed;
pub mod variables;
pub mod write;
pub mod yaml;

use std::fmt;

use raw::{RawNode, RawValue};

/// Which text of a [`Sources`] a place belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u16);

/// A range of bytes of one source, end exclusive. Generated values carry the span of what they
/// were generated from, so that every finding leads back to a line that the user wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} col {}", self.line, self.column)
    }
}

/// One text that was read.
#[derive(Debug)]
pub struct Source {
    /// How the user calls it: a file name, a URL, `-`.
    pub name: String,
    /// The text.
    pub text: String,
    /// What the reader made of it, for finding the path of a place.
    pub tree: Option<RawNode>,
    lines: Vec<u32>,
}

/// All texts of one run: a config, or several that are merged, with what they include.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

/// More texts, or a longer one, than places can be told of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// A text of 4 GiB or more.
    #[error("config of {0} bytes is too long")]
    TooLong(usize),
    /// More than 65535 texts.
    #[error("more than 65535 configs at once")]
    TooMany,
}

impl Sources {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `text` under `name`.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<SourceId, SourceError> {
        let (name, text) = (name.into(), text.into());
        let id = u16::try_from(self.0.len()).map_err(|_| SourceError::TooMany)?;
        u32::try_from(text.len()).map_err(|_| SourceError::TooLong(text.len()))?;
        let starts = text.bytes().zip(1_u32..).filter(|(byte, _)| *byte == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(_, next)| next));
        let lines = lines.collect();
        self.0.push(Source {
            name,
            text,
            tree: None,
            lines,
        });
        Ok(SourceId(id))
    }

    /// The text of an id that [`Sources::add`] gave.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(usize::from(id.0))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Keeps the tree that was read from a text.
    pub fn set_tree(&mut self, id: SourceId, tree: RawNode) {
        if let Some(source) = self.0.get_mut(usize::from(id.0)) {
            source.tree = Some(tree);
        }
    }

    /// Where `span` begins.
    pub fn place(&self, span: Span) -> Place {
        let unknown = Place { line: 1, column: 1 };
        let Some(source) = self.get(span.source) else {
            return unknown;
        };
        let line = source.lines.partition_point(|start| *start <= span.start);
        let start = line
            .checked_sub(1)
            .and_then(|index| source.lines.get(index));
        let before = start
            .and_then(|start| source.text.get(*start as usize..span.start as usize))
            .unwrap_or_default();
        Place {
            line: line.max(1),
            column: before.chars().count() + 1,
        }
    }

    /// The path of the value or key at `span`, as the original tools write it:
    /// `$.storage.files.0.mode`. The nearest enclosing value's when none is exactly there.
    pub fn path(&self, span: Span) -> String {
        let mut path = String::from("$");
        let mut node = self
            .get(span.source)
            .and_then(|source| source.tree.as_ref());
        while let Some(at) = node {
            node = None;
            match &at.value {
                _ if at.span == span => break,
                RawValue::Map(entries) => {
                    let holds = |entry: &&raw::RawEntry| {
                        entry.key_span == span || entry.value.span.covers(span)
                    };
                    if let Some(entry) = entries.iter().find(holds) {
                        path.push('.');
                        path.push_str(&entry.key);
                        node = (entry.key_span != span).then_some(&entry.value);
                    }
                }
                RawValue::List(items) => {
                    let found = items
                        .iter()
                        .enumerate()
                        .find(|(_, item)| item.span.covers(span));
                    if let Some((index, item)) = found {
                        path.push_str(&format!(".{index}"));
                        node = Some(item);
                    }
                }
                RawValue::Scalar(_) => {}
            }
        }
        path
    }
}

impl Span {
    /// Whether `other` lies within.
    pub fn covers(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let mut sources = Sources::new();
        let source = sources.add("a", "ab\nå x\n").unwrap();
        let place = |start| {
            sources.place(Span {
                source,
                start,
                end: start,
            })
        };
        let at = |line, column| Place { line, column };
        assert_eq!(place(0), at(1, 1));
        assert_eq!(place(2), at(1, 3));
        assert_eq!(place(3), at(2, 1));
        assert_eq!(place(6), at(2, 3), "å is two bytes and one character");
        assert_eq!(place(8), at(3, 1));
    }
}
