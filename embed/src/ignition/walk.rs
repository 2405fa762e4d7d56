//! All objects of a config, each with its type: for what looks for a kind of thing wherever it is.
//!
//! Recursion follows the schema, so it is as shallow as the schema is.

use crate::schema::{Kind, ROOT, Record};
use crate::tree::node::{Node, Object};

/// Visits every object of `config` in the order of field names and lists, outer ones first. What
/// is in an object is passed over where `visit` gives false.
pub(super) fn objects(config: &Node, visit: &mut dyn FnMut(&'static Record, &Object) -> bool) {
    object(&ROOT, config, visit);
}

fn object(
    of: &'static Record,
    node: &Node,
    visit: &mut dyn FnMut(&'static Record, &Object) -> bool,
) {
    let Some(fields) = node.as_object().filter(|fields| visit(of, fields)) else {
        return;
    };
    for (name, member) in fields.members() {
        match of.field(name).map(|field| field.kind) {
            Some(Kind::Object(inner)) => object(inner, &member.node, visit),
            Some(Kind::List(list)) => {
                if let Kind::Object(inner) = list.item {
                    let items = member.node.items().iter();
                    items.for_each(|item| object(inner, item, visit));
                }
            }
            _ => {}
        }
    }
}
