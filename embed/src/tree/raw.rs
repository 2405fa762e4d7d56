//! What a JSON or YAML reader saw: values as written, before the schema gives them types.

use super::Span;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RawNode {
    /// From the value's first byte to past its last; of a block mapping, from its first key.
    pub span: Span,
    /// The value.
    pub value: RawValue,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum RawValue {
    /// Neither list nor map.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<RawNode>),
    /// Entries in order; JSON may repeat keys.
    Map(Vec<RawEntry>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct RawEntry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: RawNode,
}

/// A scalar as written. What a [`Scalar::Plain`] means depends on the type that is wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// JSON's or YAML's null.
    Null,
    /// JSON's `true` or `false`.
    Bool(bool),
    /// JSON's number, its text unchanged.
    Number(String),
    /// A JSON string, or a YAML scalar in quotes, in a block, or tagged as a string.
    Text(String),
    /// A YAML scalar without quotes and tag.
    Plain(String),
}

impl RawNode {
    /// Whether this is null, which means the same as absent.
    pub fn is_null(&self) -> bool {
        self.value == RawValue::Scalar(Scalar::Null)
    }
}

impl RawValue {
    /// What a reader's messages call this.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.kind(),
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Scalar {
    /// What a reader's messages call this.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Plain(_) => "a string",
        }
    }
}
