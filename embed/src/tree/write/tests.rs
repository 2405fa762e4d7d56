//! What is left out, what is escaped, and that reading gives the same tree back.

use proptest::prelude::*;

use super::*;
use crate::finding::Findings;
use crate::schema::{Kind, Language, ROOT, Record};
use crate::tree::{Span, json as reader, typed};

fn read(text: &str) -> Node {
    let raw = reader::read(Default::default(), text).unwrap();
    let mut findings = Findings::new();
    let node = typed::read(&raw, Language::Ignition(7), &mut findings);
    assert!(findings.is_empty(), "{findings:?}");
    node
}

#[test]
fn empty_lists_and_objects_are_left_out() {
    let text = r#"{"storage":{"files":[],"disks":[{},{"device":""}]},"passwd":{"users":[]},
        "systemd":{"units":[{"enabled":false,"dropins":[]}]},"ignition":{}}"#;
    let node = read(text);
    let out = concat!(
        r#"{"storage":{"disks":[{},{"device":""}]},"#,
        r#""systemd":{"units":[{"enabled":false}]}}"#,
        "\n"
    );
    assert_eq!(json(&node, false), out);
    assert_eq!(json(&read("{}"), true), "{}\n");
}

#[test]
fn pretty_text_is_indented_by_two() {
    let node = read(r#"{"systemd":{"units":[{"name":"a.service","mask":true},{}]}}"#);
    let out = r#"{
  "systemd": {
    "units": [
      {
        "mask": true,
        "name": "a.service"
      },
      {}
    ]
  }
}
"#;
    assert_eq!(json(&node, true), out);
}

#[test]
fn labels_are_an_object() {
    let span = Span::default();
    let label = |key: &str| (key.to_owned(), Node::text(span, "v"));
    let mut metadata = Object::new();
    let value = Value::Labels([label("b"), label("a\"")].into());
    metadata.set("labels", Node { span, value });
    let mut root = Object::new();
    root.set("metadata", Node::object(span, metadata));
    let out = r#"{"metadata":{"labels":{"a\"":"v","b":"v"}}}"#;
    assert_eq!(json(&Node::object(span, root), false).trim_end(), out);
}

/// A tree without places, of `record` in the experimental spec, that the choices of `seed` make.
fn tree(record: &'static Record, seed: &mut impl Iterator<Item = (u8, i64, String)>) -> Object {
    let mut object = Object::new();
    for field in record.fields_of(Language::Ignition(7)) {
        let Some((choice, ..)) = seed.next() else {
            break;
        };
        if choice % 4 == 0 {
            object.set(field.name, value(field.kind, seed));
        }
    }
    object
}

fn value(kind: Kind, seed: &mut impl Iterator<Item = (u8, i64, String)>) -> Node {
    let span = Span::default();
    let (choice, number, text) = seed.next().unwrap_or_default();
    match kind {
        Kind::Text => Node::text(span, text),
        Kind::Integer => Node::integer(span, number),
        Kind::Bool => Node::bool(span, number > 0),
        Kind::Object(record) => Node::object(span, tree(record, seed)),
        Kind::List(list) => {
            let items = (0..=choice % 3).map(|_| value(list.item, seed));
            Node::list(span, items.collect())
        }
        Kind::Labels => unreachable!("Ignition has no labels"),
    }
}

/// Empty objects as fields, which are not written, taken out; places too.
fn bare(node: &Node) -> Node {
    let span = Span::default();
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(bare).collect()),
        Value::Object(object) => {
            let mut out = Object::new();
            for (name, member) in object.members() {
                let node = bare(&member.node);
                if !void(&node) {
                    out.set(name, node);
                }
            }
            Value::Object(out)
        }
        other => other.clone(),
    };
    Node { span, value }
}

proptest! {
    #[test]
    fn written_trees_are_read_back(
        seed in proptest::collection::vec((any::<u8>(), any::<i64>(), "\\PC{0,4}|[\x00-\x7f]{0,4}"), 0..100),
    ) {
        let object = tree(&ROOT, &mut seed.into_iter());
        let node = Node::object(Span::default(), object);
        for pretty in [false, true] {
            prop_assert_eq!(bare(&read(&json(&node, pretty))), bare(&node));
        }
    }
}
