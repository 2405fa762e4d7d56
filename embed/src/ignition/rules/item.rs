//! An object of the config with its place: what the rules read their fields from.
//! A field of another type reads as absent; the reader has complained of it.

use crate::finding::At;
use crate::tree::Span;
use crate::tree::node::{Node, Object};

/// An object and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) span: Span,
    pub(super) object: &'a Object,
}

impl<'a> Item<'a> {
    pub(super) fn of(node: &'a Node) -> Option<Self> {
        let object = node.as_object()?;
        let span = node.span;
        Some(Self { span, object })
    }

    /// Where a field's value is, or would be.
    pub(super) fn at(&self, name: &'static str) -> At {
        match self.object.get(name) {
            Some(node) => node.span.into(),
            None => At::absent(self.span, name),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.object.text(name)
    }

    /// A string that is there and not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.object.get(name)?.as_integer()
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.object.is_true(name)
    }

    pub(super) fn is_false(&self, name: &str) -> bool {
        self.object.get(name).and_then(Node::as_bool) == Some(false)
    }

    pub(super) fn child(&self, name: &str) -> Option<Self> {
        self.object.get(name).and_then(Self::of)
    }

    /// The objects of a list.
    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.object.items(name).iter().filter_map(Self::of)
    }
}
