//! Rules that the schema's table states: which strings a field may hold, and that no two items of
//! a keyed list, or of lists that share their keys, are the same.

use std::collections::{HashMap, HashSet};

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::keys::{self, ItemKey};
use crate::schema::{Field, Kind, List, ListKey, Record, Space};
use crate::tree::node::Node;

/// The keys that were met in lists that share them.
type Shared<'a> = HashMap<Space, HashSet<ItemKey<'a>>>;

/// Checks an object and all in it; as deep as the table, whatever the config.
pub(super) fn check(record: &'static Record, item: Item<'_>, report: &mut Report<'_>) {
    let mut shared = Shared::new();
    for (name, member) in item.object.members() {
        let Some(field) = record.field(name) else {
            continue;
        };
        match field.kind {
            Kind::Text => value(field, &member.node, report),
            Kind::Object(record) => {
                if let Some(item) = Item::of(&member.node) {
                    check(record, item, report);
                }
            }
            Kind::List(list) => {
                duplicates(list, &member.node, &mut shared, report);
                if let Kind::Object(record) = list.item {
                    for item in member.node.items().iter().filter_map(Item::of) {
                        check(record, item, report);
                    }
                }
            }
            Kind::Integer | Kind::Bool | Kind::Labels => {}
        }
    }
}

/// The empty string means "none given"; where that is wrong, another rule says so.
fn value(field: &Field, node: &Node, report: &mut Report<'_>) {
    let text = node.as_text().unwrap_or_default();
    if field.values.is_empty() || text.is_empty() {
        return;
    }
    let found = field.values.iter().find(|(known, _)| text == *known);
    if found.is_some_and(|(_, since)| *since <= report.minor) {
        return;
    }
    let message = format!("{} {} is not known", field.name, quote(text));
    report.error(codes::VALUE_UNKNOWN, node.span, message);
    match found {
        Some((_, since)) => report.hint_since(text, *since),
        None => {
            let known = field.values.iter();
            let known = known.filter(|(known, since)| !known.is_empty() && *since <= report.minor);
            let known: Vec<_> = known.map(|(known, _)| *known).collect();
            report.hint(format!("known are {}", known.join(", ")));
        }
    }
}

fn duplicates<'a>(
    list: &'static List,
    node: &'a Node,
    shared: &mut Shared<'a>,
    report: &mut Report<'_>,
) {
    // Partitions have a rule of their own, which knows numbers and labels.
    if list.key == ListKey::Partition {
        return;
    }
    let mut own = HashSet::new();
    let seen = match list.space {
        Some(space) => shared.entry(space).or_default(),
        None => &mut own,
    };
    for item in node.items() {
        let Some(key) = keys::of(item, list.key) else {
            return;
        };
        if !seen.insert(key) {
            report.error(codes::DUPLICATE, item.span, duplicate(list, key));
        }
    }
}

fn duplicate(list: &List, key: ItemKey<'_>) -> String {
    let key = match key {
        ItemKey::Text(text) => quote(text),
        ItemKey::Number(number) => format!("`{number}`"),
    };
    match (list.space, list.key) {
        (Some(Space::Nodes), _) => format!("path {key} is used twice"),
        (_, ListKey::Field(name)) => format!("two items have {name} {key}"),
        _ => format!("{key} is listed twice"),
    }
}
