//! Values with the types of the schema: what rules, merge, upgrade and translation work on.
//!
//! Absent and null are the same: no member. Names are the schema's, never the user's spelling.

use std::collections::BTreeMap;

use super::Span;

/// A typed value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value's own text, or what it was generated from.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A typed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A string.
    Text(String),
    /// Items in order.
    List(Vec<Node>),
    /// An object of the schema.
    Object(Object),
    /// Strings by keys that the user chose.
    Labels(BTreeMap<String, Node>),
}

/// The present fields of one object. Fields come out in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(BTreeMap<&'static str, Member>);

/// One present field.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Where the key stands.
    pub key: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A string.
    pub fn text(span: Span, text: impl Into<String>) -> Self {
        let value = Value::Text(text.into());
        Self { span, value }
    }

    /// A number.
    pub fn integer(span: Span, number: i64) -> Self {
        let value = Value::Integer(number);
        Self { span, value }
    }

    /// A boolean.
    pub fn bool(span: Span, value: bool) -> Self {
        let value = Value::Bool(value);
        Self { span, value }
    }

    /// A list.
    pub fn list(span: Span, items: Vec<Node>) -> Self {
        let value = Value::List(items);
        Self { span, value }
    }

    /// An object.
    pub fn object(span: Span, object: Object) -> Self {
        let value = Value::Object(object);
        Self { span, value }
    }

    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self.value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The items; none if it is no list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The strings by free keys, if it is such a map.
    pub fn as_labels(&self) -> Option<&BTreeMap<String, Node>> {
        match &self.value {
            Value::Labels(labels) => Some(labels),
            _ => None,
        }
    }

    /// The items, to be changed; none if it is no list.
    pub fn items_mut(&mut self) -> &mut [Node] {
        match &mut self.value {
            Value::List(items) => items,
            _ => &mut [],
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match &self.value {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match &mut self.value {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<const N: usize> From<[(&'static str, Node); N]> for Object {
    /// Generated fields, whose keys have the places of their values.
    fn from(fields: [(&'static str, Node); N]) -> Self {
        let member = |node: Node| Member {
            key: node.span,
            node,
        };
        let fields = fields.into_iter();
        Self(fields.map(|(name, node)| (name, member(node))).collect())
    }
}

impl Object {
    /// Without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no field is present.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The present fields, by name.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, &Member)> {
        self.0.iter().map(|(name, member)| (*name, member))
    }

    /// The present fields, by name.
    pub fn into_members(self) -> impl Iterator<Item = (&'static str, Member)> {
        self.0.into_iter()
    }

    /// The field with the place of its key.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.0.get(name)
    }

    /// The field's value.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.get(name).map(|member| &member.node)
    }

    /// The field's value.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.0.get_mut(name).map(|member| &mut member.node)
    }

    /// The field's string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// Whether the field is there and true.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).and_then(Node::as_bool) == Some(true)
    }

    /// The field's items; none if absent.
    pub fn items(&self, name: &str) -> &[Node] {
        self.get(name).map(Node::items).unwrap_or_default()
    }

    /// The field's object.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.get(name)?.as_object()
    }

    /// Sets a field that stands at `key`; what was there is given back.
    pub fn put(&mut self, name: &'static str, key: Span, node: Node) -> Option<Node> {
        let old = self.0.insert(name, Member { key, node });
        old.map(|member| member.node)
    }

    /// Sets a generated field, whose key has the value's own place.
    pub fn set(&mut self, name: &'static str, node: Node) -> Option<Node> {
        self.put(name, node.span, node)
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        self.0.remove(name).map(|member| member.node)
    }

    /// The object of field `name`, made at `span` if it is absent.
    /// A field that is no object is replaced by an empty one.
    pub fn object_mut(&mut self, name: &'static str, span: Span) -> &mut Object {
        let member = self.0.entry(name).or_insert_with(|| Member {
            key: span,
            node: Node::object(span, Self::new()),
        });
        if !matches!(member.node.value, Value::Object(_)) {
            member.node.value = Value::Object(Self::new());
        }
        match &mut member.node.value {
            Value::Object(object) => object,
            _ => unreachable!("was made an object above"),
        }
    }

    /// The items of field `name`, made at `span` if it is absent.
    /// A field that is no list is replaced by an empty one.
    pub fn items_mut(&mut self, name: &'static str, span: Span) -> &mut Vec<Node> {
        let member = self.0.entry(name).or_insert_with(|| Member {
            key: span,
            node: Node::list(span, Vec::new()),
        });
        if !matches!(member.node.value, Value::List(_)) {
            member.node.value = Value::List(Vec::new());
        }
        match &mut member.node.value {
            Value::List(items) => items,
            _ => unreachable!("was made a list above"),
        }
    }
}
