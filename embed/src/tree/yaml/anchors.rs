//! Values that have an anchor, and what copies of them may cost together.
//!
//! A few lines of aliases can ask for billions of values; the budget ends that early.

use std::collections::HashMap;

use super::{DEEPEST, too_deep};
use crate::finding::Finding;
use crate::tree::Span;
use crate::tree::raw::{RawEntry, RawNode, RawValue, Scalar};

/// What all copies together may cost: one per value, and one per [`TEXT_UNIT`] bytes of text.
const BUDGET: usize = 1_000_000;
/// As many bytes of text cost as much as one value.
const TEXT_UNIT: usize = 64;

/// The anchored values of a document.
pub(super) struct Anchors {
    kept: HashMap<usize, Anchored>,
    budget: usize,
}

struct Anchored {
    node: RawNode,
    size: Size,
}

/// How much a value is to copy, and how deep it goes.
#[derive(Clone, Copy, Default)]
struct Size {
    cost: usize,
    depth: usize,
}

impl Anchors {
    pub(super) fn new() -> Self {
        Self {
            kept: HashMap::new(),
            budget: BUDGET,
        }
    }

    /// Keeps a copy of an anchored value for its aliases.
    pub(super) fn keep(&mut self, anchor: usize, node: &RawNode) -> Result<(), Finding> {
        let size = Size::of(node);
        self.pay(size, node.span)?;
        let node = node.clone();
        self.kept.insert(anchor, Anchored { node, size });
        Ok(())
    }

    /// What the alias at `span`, which lies `depth` deep, stands for.
    pub(super) fn copy(
        &mut self,
        anchor: usize,
        depth: usize,
        span: Span,
    ) -> Result<RawNode, Finding> {
        let size = match self.kept.get(&anchor) {
            Some(anchored) => anchored.size,
            None => {
                let message = "an alias cannot stand within what it refers to";
                return Err(Finding::error("alias-loop", span, message));
            }
        };
        if depth + size.depth > DEEPEST {
            return Err(too_deep(span));
        }
        self.pay(size, span)?;
        let node = self.kept.get(&anchor).map(|anchored| anchored.node.clone());
        let nothing = RawValue::Scalar(Scalar::Null);
        Ok(node.unwrap_or(RawNode {
            span,
            value: nothing,
        }))
    }

    fn pay(&mut self, size: Size, span: Span) -> Result<(), Finding> {
        let left = self.budget.checked_sub(size.cost);
        self.budget = left.ok_or_else(|| {
            let message = format!("aliases stand for more than {BUDGET} values");
            Finding::error("alias-bomb", span, message)
        })?;
        Ok(())
    }
}

impl Size {
    /// Goes as deep as `node`, which is [`DEEPEST`] at most.
    fn of(node: &RawNode) -> Self {
        let (own, children) = match &node.value {
            RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text) | Scalar::Number(text)) => {
                (text.len(), Self::default())
            }
            RawValue::Scalar(Scalar::Null | Scalar::Bool(_)) => (0, Self::default()),
            RawValue::List(items) => (0, Self::sum(items.iter().map(Self::of))),
            RawValue::Map(entries) => (0, Self::sum(entries.iter().map(Self::of_entry))),
        };
        let leaf = matches!(node.value, RawValue::Scalar(_));
        Self {
            cost: children.cost + 1 + own / TEXT_UNIT,
            depth: children.depth + usize::from(!leaf),
        }
    }

    fn of_entry(entry: &RawEntry) -> Self {
        let value = Self::of(&entry.value);
        Self {
            cost: value.cost + entry.key.len() / TEXT_UNIT,
            depth: value.depth,
        }
    }

    fn sum(sizes: impl Iterator<Item = Self>) -> Self {
        sizes.fold(Self::default(), |all, size| Self {
            cost: all.cost + size.cost,
            depth: all.depth.max(size.depth),
        })
    }
}
