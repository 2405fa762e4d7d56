//! Reads YAML (1.2, one document) into a [`RawNode`] with the place of every key and value.
//!
//! Aliases and `<<` are expanded here, within a budget; a second document is not looked at.
//! Plain scalars keep their text: what they mean depends on the type that is wanted, which
//! [`super::typed`] knows. JSON is YAML, too. The syntax is the event parser's matter.

mod anchors;
mod places;
mod tagged;

use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::raw::{RawEntry, RawNode, RawValue, Scalar};
use super::{SourceId, Span};
use crate::finding::{Finding, quote};

use anchors::Anchors;
use places::Places;

/// The key that merges other maps into its own.
pub(super) const MERGE: &str = "<<";
/// The deepest nesting, aliases expanded.
const DEEPEST: usize = 255;

/// Reads the first document of `text`.
pub fn read(source: SourceId, text: &str) -> Result<RawNode, Finding> {
    let mut builder = Builder {
        place: Places { source, text },
        open: Vec::new(),
        anchors: Anchors::new(),
        last: 0,
        root: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.place.refusal(&error))?;
        let span = builder.place.span(span);
        match event {
            Event::DocumentEnd => break,
            event => builder.event(event, span)?,
        }
        builder.last = builder.last.max(span.end);
    }
    let end = builder.place.at(text.len());
    let empty = || Finding::error("empty", end, "the config is empty");
    builder.root.ok_or_else(empty)
}

fn too_deep(at: Span) -> Finding {
    let message = format!("values are nested more than {DEEPEST} deep");
    Finding::error("too-deep", at, message)
}

struct Builder<'t> {
    place: Places<'t>,
    open: Vec<Container>,
    anchors: Anchors,
    /// Where the last event ends.
    last: u32,
    root: Option<RawNode>,
}

/// A list or map whose end has not been reached.
struct Container {
    span: Span,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<RawNode>),
    Map(Map),
}

impl Container {
    fn is_map(&self) -> bool {
        matches!(self.inside, Inside::Map(_))
    }
}

#[derive(Default)]
struct Map {
    entries: Vec<RawEntry>,
    /// What `<<` brings in, the most important first.
    merged: Vec<RawEntry>,
    /// The key whose value comes next.
    key: Option<RawNode>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => self.place.block(span, self.last),
                    _ => span,
                };
                let scalar = tagged::scalar(text, style, tag.as_deref(), span)?;
                let value = RawValue::Scalar(scalar);
                self.whole(RawNode { span, value }, anchor, span)
            }
            Event::SequenceStart(style, anchor, _) => {
                let in_map = self.open.last().is_some_and(Container::is_map);
                let span = match style {
                    StructureStyle::Block if in_map => self.place.dash(span, self.last),
                    _ => span,
                };
                self.open(span, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(span, anchor, Inside::Map(Map::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => {
                let node = self.anchors.copy(anchor, self.open.len(), span)?;
                self.attach(node, span)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, span: Span, anchor: usize, inside: Inside) -> Result<(), Finding> {
        if self.open.len() >= DEEPEST {
            return Err(too_deep(span));
        }
        self.open.push(Container {
            span,
            anchor,
            inside,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Finding> {
        let Some(Container {
            mut span,
            anchor,
            inside,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        // The end of a flow collection is its bracket; a block ends with what was put in last.
        if self.place.is_bracket(end) {
            span.end = end.end;
        }
        let value = match inside {
            Inside::List(items) => RawValue::List(items),
            Inside::Map(map) => RawValue::Map(self.entries(map)?),
        };
        self.whole(RawNode { span, value }, anchor, span)
    }

    /// Takes a value that has been read to its end.
    fn whole(&mut self, node: RawNode, anchor: usize, span: Span) -> Result<(), Finding> {
        if anchor != 0 {
            self.anchors.keep(anchor, &node)?;
        }
        self.attach(node, span)
    }

    /// Puts a value that is written at `span` into the innermost open list or map.
    fn attach(&mut self, node: RawNode, span: Span) -> Result<(), Finding> {
        let Some(container) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        container.span.end = container.span.end.max(span.end);
        match &mut container.inside {
            Inside::List(items) => items.push(node),
            Inside::Map(map) => match map.key.take() {
                None => map.key = Some(node),
                Some(key) => map.put(key, node, span)?,
            },
        }
        Ok(())
    }

    /// The entries of a map that has been read to its end, merged ones last.
    fn entries(&self, map: Map) -> Result<Vec<RawEntry>, Finding> {
        let Map {
            mut entries,
            merged,
            ..
        } = map;
        let mut order: Vec<&RawEntry> = entries.iter().collect();
        order.sort_by(|one, other| one.key.cmp(&other.key));
        let twins = order.windows(2).filter_map(|pair| match pair {
            [first, second] if first.key == second.key => Some((first, second)),
            _ => None,
        });
        if let Some((first, second)) = twins.min_by_key(|(_, second)| second.key_span) {
            let message = format!("key {} is given twice", quote(&second.key));
            let mut finding = Finding::error("duplicate-key", second.key_span, message);
            let line = self.place.line(first.key_span);
            finding.hint = Some(format!("it is on line {line}, too"));
            return Err(finding);
        }
        if merged.is_empty() {
            return Ok(entries);
        }
        let mut seen: HashSet<&str> = order.iter().map(|entry| entry.key.as_str()).collect();
        let taken: Vec<bool> = merged
            .iter()
            .map(|entry| entry.key != MERGE && seen.insert(&entry.key))
            .collect();
        let added = merged.into_iter().zip(taken).filter(|(_, new)| *new);
        entries.extend(added.map(|(entry, _)| entry));
        Ok(entries)
    }
}

impl Map {
    fn put(&mut self, key: RawNode, mut value: RawNode, span: Span) -> Result<(), Finding> {
        let key_span = key.span;
        let (key, merges) = match key.value {
            RawValue::Scalar(Scalar::Plain(text)) => {
                let merges = text == MERGE;
                (text, merges)
            }
            RawValue::Scalar(Scalar::Text(text)) => (text, false),
            RawValue::Scalar(_) => ("null".to_owned(), false),
            RawValue::List(_) | RawValue::Map(_) => {
                let message = "a key must be a string, not a list or map";
                return Err(Finding::error("yaml-key", key_span, message));
            }
        };
        if merges {
            self.merge(value, span)?;
            let nothing = RawValue::Scalar(Scalar::Null);
            value = RawNode {
                span,
                value: nothing,
            };
        }
        self.entries.push(RawEntry {
            key,
            key_span,
            value,
        });
        Ok(())
    }

    /// Remembers what `<<` brings in: a map, or several of which the first counts most.
    fn merge(&mut self, value: RawNode, span: Span) -> Result<(), Finding> {
        let maps = match value.value {
            RawValue::List(items) => items,
            _ => vec![value],
        };
        for map in maps {
            let RawValue::Map(entries) = map.value else {
                let message = format!("`{MERGE}` needs a map or a list of maps");
                return Err(Finding::error("yaml-merge", span, message));
            };
            self.merged.extend(entries);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
