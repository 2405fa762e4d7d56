//! Trees for tests: from JSON by the schema, arbitrary ones, and back to JSON.
//!
//! Without places, unknown keys or findings: what the schema does not have panics.

use proptest::prelude::*;
use proptest::{collection, option, sample};
use serde_json::Value as Json;

use crate::schema::{Kind, Language, NEWEST, ROOT, Record};
use crate::tree::Span;
use crate::tree::node::{Node, Object, Value};

/// The config in `json`.
pub(super) fn config(json: Json) -> Node {
    tree(Kind::Object(&ROOT), &json)
}

fn tree(kind: Kind, json: &Json) -> Node {
    let span = Span::default();
    match (kind, json) {
        (Kind::Object(of), Json::Object(members)) => {
            let mut object = Object::new();
            for (name, value) in members {
                let field = of
                    .field(name)
                    .unwrap_or_else(|| panic!("{}.{name}", of.name));
                object.set(field.name, tree(field.kind, value));
            }
            Node::object(span, object)
        }
        (Kind::List(of), Json::Array(items)) => {
            Node::list(span, items.iter().map(|item| tree(of.item, item)).collect())
        }
        (Kind::Text, Json::String(text)) => Node::text(span, text),
        (Kind::Integer, Json::Number(number)) => Node::integer(span, number.as_i64().unwrap()),
        (Kind::Bool, Json::Bool(value)) => Node::bool(span, *value),
        _ => panic!("{json} is not {kind:?}"),
    }
}

/// `node` as JSON.
pub(super) fn json(node: &Node) -> Json {
    match &node.value {
        Value::Bool(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Labels(_) => unreachable!("Ignition has none"),
        Value::Object(object) => {
            let members = object.members();
            members
                .map(|(name, member)| (name.to_owned(), json(&member.node)))
                .collect()
        }
    }
}

/// Any tree of Ignition's schema, valid or not, with few keys so that they meet.
pub(super) fn any_config() -> BoxedStrategy<Node> {
    any_tree(Kind::Object(&ROOT))
}

fn any_tree(kind: Kind) -> BoxedStrategy<Node> {
    let span = Span::default();
    match kind {
        Kind::Text => sample::select(&["", "/a", "/b", "/c", "/d"][..])
            .prop_map(move |text| Node::text(span, text))
            .boxed(),
        Kind::Integer => sample::select(&[0_i64, 1, 2, 3, 0o7755, i64::MIN][..])
            .prop_map(move |number| Node::integer(span, number))
            .boxed(),
        Kind::Bool => any::<bool>()
            .prop_map(move |value| Node::bool(span, value))
            .boxed(),
        Kind::List(of) => collection::vec(any_tree(of.item), 0..4)
            .prop_map(move |items| Node::list(span, items))
            .boxed(),
        Kind::Object(of) => any_object(of),
        Kind::Labels => unreachable!("Ignition has none"),
    }
}

fn any_object(of: &'static Record) -> BoxedStrategy<Node> {
    let fields = of.fields_of(Language::Ignition(NEWEST));
    let members: Vec<_> = fields
        .map(|field| option::of(any_tree(field.kind)).prop_map(|node| (field.name, node)))
        .collect();
    members
        .prop_map(|members| {
            let mut object = Object::new();
            for (name, node) in members {
                if let Some(node) = node {
                    object.set(name, node);
                }
            }
            Node::object(Span::default(), object)
        })
        .boxed()
}
