//! One config merged over another of the same spec: the child over its parent.
//!
//! Driven by the schema alone. Valid configs can merge to an invalid one, so the result must be
//! checked again; fetching what `ignition.config` refers to is `render`.

use std::collections::{HashMap, HashSet};

use super::keys::{self, ItemKey};
use crate::schema::{Field, Kind, List, ListKey, ROOT, Record};
use crate::tree::Span;
use crate::tree::node::{Node, Object, Value};

/// The only list of which an item can remove its like in the parent.
const HEADERS: &str = "httpHeaders";

/// Merges the config `child` over `parent`. Both must be of the same spec.
///
/// Values of the child win, objects are merged field by field, and lists item by item: items of
/// one key become one in the parent's place, new ones follow in the child's order. A value of the
/// parent that the child lacks stays, even where the child could not go without it, such as its
/// version. Merged objects carry the child's place.
pub fn merge(parent: Node, child: Node) -> Node {
    record(&ROOT, parent, child)
}

/// Merges `child` over `parent`, both objects of type `of`.
pub(crate) fn record(of: &'static Record, parent: Node, child: Node) -> Node {
    value(Kind::Object(of), false, parent, child)
}

fn value(kind: Kind, headers: bool, parent: Node, child: Node) -> Node {
    let (above, below) = (parent.span, child.span);
    let span = |empty: bool| -> Span { if empty { above } else { below } };
    match (kind, parent.value, child.value) {
        (Kind::Object(of), Value::Object(parent), Value::Object(child)) => {
            Node::object(span(child.is_empty()), objects(of, parent, child))
        }
        (Kind::List(of), Value::List(parent), Value::List(child)) => {
            Node::list(span(child.is_empty()), lists(of, headers, parent, child))
        }
        (_, _, value) => Node { span: below, value },
    }
}

fn objects(of: &'static Record, mut parent: Object, child: Object) -> Object {
    drop_moved(of, &mut parent, &child);
    for (name, member) in child.into_members() {
        let node = match (of.field(name), parent.take(name)) {
            (Some(field), Some(old)) => value(field.kind, name == HEADERS, old, member.node),
            _ => member.node,
        };
        parent.put(name, member.key, node);
    }
    parent
}

/// Removes the parent's items whose key the child has in another list of the same space: what was
/// a file is a link now.
fn drop_moved(of: &'static Record, parent: &mut Object, child: &Object) {
    let spaces = || {
        of.fields
            .iter()
            .filter_map(|field| Some((field, shared(field)?)))
    };
    for (field, list) in spaces() {
        let Some(items) = parent.get_mut(field.name) else {
            continue;
        };
        let keys = |name| {
            child
                .items(name)
                .iter()
                .filter_map(|item| keys::of(item, list.key))
        };
        let others =
            spaces().filter(|(other, at)| other.name != field.name && at.space == list.space);
        let mut moved: HashSet<ItemKey<'_>> =
            others.flat_map(|(other, _)| keys(other.name)).collect();
        for kept in keys(field.name) {
            moved.remove(&kept);
        }
        if let (Value::List(items), false) = (&mut items.value, moved.is_empty()) {
            items.retain(|item| keys::of(item, list.key).is_none_or(|key| !moved.contains(&key)));
        }
    }
}

fn shared(field: &Field) -> Option<&'static List> {
    match field.kind {
        Kind::List(list) if list.space.is_some() => Some(list),
        _ => None,
    }
}

fn lists(of: &'static List, headers: bool, parent: Vec<Node>, child: Vec<Node>) -> Vec<Node> {
    let partners = partners(of.key, &parent, &child);
    let mut child: Vec<Option<Node>> = child.into_iter().map(Some).collect();
    let mut merged = Vec::with_capacity(parent.len() + child.len());
    for (item, partner) in parent.into_iter().zip(partners) {
        let partner = partner.and_then(|index| child.get_mut(index)?.take());
        match partner {
            None => merged.push(item),
            Some(header) if headers && removes(&header) => {}
            Some(partner) => merged.push(value(of.item, false, item, partner)),
        }
    }
    merged.extend(child.into_iter().flatten());
    merged
}

/// For each item of the parent, the index of the child's item of the same key. Each item of the
/// child is given once: what repeats in one config stays, for the duplicate check to see.
fn partners(key: ListKey, parent: &[Node], child: &[Node]) -> Vec<Option<usize>> {
    let mut index: HashMap<ItemKey<'_>, usize> = HashMap::with_capacity(child.len());
    for (position, item) in child.iter().enumerate() {
        if let Some(key) = keys::of(item, key) {
            index.entry(key).or_insert(position);
        }
    }
    let find = |item| keys::of(item, key).and_then(|key| index.remove(&key));
    parent.iter().map(find).collect()
}

/// Whether a header of the child has no value, and so takes the parent's away.
fn removes(header: &Node) -> bool {
    header
        .as_object()
        .is_some_and(|header| header.get("value").is_none())
}

#[cfg(test)]
mod tests;
