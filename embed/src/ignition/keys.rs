//! What makes two items of a list the same: the key that duplicates are sought by and that lists
//! are merged by.
//!
//! Which key a list has is in the schema; here is only how it is read from an item.

use crate::schema::ListKey;
use crate::tree::node::Node;

/// The key of one item. An absent string is the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ItemKey<'a> {
    /// A string: a path, a name, a label, the item itself.
    Text(&'a str),
    /// The number of a partition, which no label is equal to.
    Number(i64),
}

/// The key of `item` in a list keyed by `key`; none in lists whose items may repeat.
pub(super) fn of(item: &Node, key: ListKey) -> Option<ItemKey<'_>> {
    let field = |name| item.as_object().and_then(|object| object.text(name));
    let text = match key {
        ListKey::Exempt => return None,
        ListKey::Whole => item.as_text(),
        ListKey::Field(name) => field(name),
        ListKey::Partition => match number(item) {
            0 => field("label"),
            number => return Some(ItemKey::Number(number)),
        },
    };
    Some(ItemKey::Text(text.unwrap_or_default()))
}

fn number(partition: &Node) -> i64 {
    let number = partition
        .as_object()
        .and_then(|object| object.get("number"));
    number.and_then(Node::as_integer).unwrap_or_default()
}
