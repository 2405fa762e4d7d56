//! Gives what a reader saw the types and names of the schema.
//!
//! A key that the language does not have is a warning, a value of another type an error; both are
//! left out of the tree. What values must be beyond their type is checked elsewhere.

use std::collections::BTreeMap;

use super::nearest::nearest;
use super::node::{Node, Object, Value};
use super::raw::{RawEntry, RawNode, RawValue, Scalar};
use super::scalar::{self, Whole};
use super::yaml::MERGE;
use crate::finding::{Findings, quote};
use crate::schema::{self, Field, Kind, Language, Record, TARGETS};

/// The whole config `raw` with types; an empty object if it is none.
pub fn read(raw: &RawNode, language: Language, findings: &mut Findings) -> Node {
    let mut reader = Reader { language, findings };
    let root = reader.value(raw, Kind::Object(&schema::ROOT));
    root.unwrap_or_else(|| Node::object(raw.span, Object::new()))
}

struct Reader<'f> {
    language: Language,
    findings: &'f mut Findings,
}

impl Reader<'_> {
    fn value(&mut self, raw: &RawNode, kind: Kind) -> Option<Node> {
        let value = match (kind, &raw.value) {
            (Kind::Object(record), RawValue::Map(entries)) => {
                let mut object = Object::new();
                self.members(entries, record, &mut object);
                Value::Object(object)
            }
            (Kind::List(list), RawValue::List(items)) => {
                let items = items.iter().filter_map(|item| self.item(item, list.item));
                Value::List(items.collect())
            }
            (Kind::Labels, RawValue::Map(entries)) => Value::Labels(self.labels(entries)),
            (Kind::Text | Kind::Integer | Kind::Bool, RawValue::Scalar(scalar)) => {
                self.scalar(raw, scalar, kind)?
            }
            (_, found) => {
                self.wrong_type(raw, kind, found.kind());
                return None;
            }
        };
        let span = raw.span;
        Some(Node { span, value })
    }

    /// An item of a list. JSON's null stands for an empty item, YAML's for none.
    fn item(&mut self, raw: &RawNode, kind: Kind) -> Option<Node> {
        if !raw.is_null() {
            return self.value(raw, kind);
        }
        let value = match (self.language, kind) {
            (Language::Butane(_), _) => return None,
            (_, Kind::Text) => Value::Text(String::new()),
            (_, Kind::Integer) => Value::Integer(0),
            (_, Kind::Bool) => Value::Bool(false),
            (_, Kind::List(_)) => Value::List(Vec::new()),
            (_, Kind::Object(_)) => Value::Object(Object::new()),
            (_, Kind::Labels) => Value::Labels(BTreeMap::new()),
        };
        let span = raw.span;
        Some(Node { span, value })
    }

    /// Reads fields into `object`. One that repeats (only JSON's can) counts as it does in Go's
    /// decoder: objects are merged, of other values the last is kept.
    fn members(&mut self, entries: &[RawEntry], record: &'static Record, object: &mut Object) {
        for entry in entries {
            let Some(field) = self.field(entry, record) else {
                continue;
            };
            if entry.value.is_null() {
                if !field.plain && !matches!(field.kind, Kind::Object(_)) {
                    object.take(field.name);
                }
                continue;
            }
            let present = object.get_mut(field.name).and_then(Node::as_object_mut);
            if let (Kind::Object(inner), RawValue::Map(more), Some(present)) =
                (field.kind, &entry.value.value, present)
            {
                self.members(more, inner, present);
            } else if let Some(node) = self.value(&entry.value, field.kind) {
                object.put(field.name, entry.key_span, node);
            }
        }
    }

    fn labels(&mut self, entries: &[RawEntry]) -> BTreeMap<String, Node> {
        let mut labels = BTreeMap::new();
        for entry in entries {
            let node = if entry.key == MERGE && entry.value.is_null() {
                self.unused(entry);
                None
            } else if entry.value.is_null() {
                Some(Node::text(entry.value.span, ""))
            } else {
                self.value(&entry.value, Kind::Text)
            };
            labels.extend(node.map(|node| (entry.key.clone(), node)));
        }
        labels
    }

    fn scalar(&mut self, raw: &RawNode, scalar: &Scalar, kind: Kind) -> Option<Value> {
        let butane = matches!(self.language, Language::Butane(_));
        let value = match kind {
            Kind::Bool => scalar::boolean(scalar, butane).map(Value::Bool),
            Kind::Integer => match scalar::whole(scalar) {
                Whole::Exact(number) => Some(Value::Integer(number)),
                Whole::Cut(number) => {
                    let message = format!("{} is used as {number}", described(scalar));
                    self.findings.warning("fraction-dropped", raw.span, message);
                    Some(Value::Integer(number))
                }
                Whole::TooLarge => {
                    let message = format!("{} does not fit 64 bits", described(scalar));
                    self.findings.error("wrong-type", raw.span, message);
                    return None;
                }
                Whole::Not => None,
            },
            _ => scalar::text(scalar).map(|text| Value::Text(text.into())),
        };
        if value.is_none() {
            self.wrong_type(raw, kind, &described(scalar));
            if let Scalar::Text(text) = scalar
                && unquoted(text, kind)
            {
                self.findings.hint("write it without quotes");
            }
        }
        value
    }

    fn wrong_type(&mut self, raw: &RawNode, kind: Kind, found: &str) {
        let wanted = match kind {
            Kind::Text => "a string",
            Kind::Integer => "a whole number",
            Kind::Bool => "`true` or `false`",
            Kind::List(_) => "a list",
            Kind::Object(_) | Kind::Labels => "a map",
        };
        let message = format!("expected {wanted}, found {found}");
        self.findings.error("wrong-type", raw.span, message);
    }

    /// The field that an entry's key names. Keys of JSON match in any case, with a warning.
    fn field(&mut self, entry: &RawEntry, record: &'static Record) -> Option<&'static Field> {
        let language = self.language;
        let key = entry.key.as_str();
        let named = |same: fn(&str, &str) -> bool| {
            let mut fields = record.fields_of(language);
            fields.find(|field| same(field.spelled(language), key))
        };
        if let Some(field) = named(|name, key| name == key) {
            return Some(field);
        }
        if let (Language::Ignition(_), Some(field)) = (language, named(alike)) {
            let message = format!("key {} is spelled `{}`", quote(key), field.name);
            self.findings.warning("key-case", entry.key_span, message);
            return Some(field);
        }
        self.unused(entry);
        if let Some(hint) = self.hint(key, record) {
            self.findings.hint(hint);
        }
        None
    }

    fn unused(&mut self, entry: &RawEntry) {
        let message = format!("unknown key {} is not used", quote(&entry.key));
        self.findings.warning("unused-key", entry.key_span, message);
    }

    /// What a key that is not in the language was probably meant to be.
    fn hint(&self, key: &str, record: &'static Record) -> Option<String> {
        let language = self.language;
        let elsewhere = |field: &&Field| field.name == key || field.yaml == key;
        if let Some(field) = record.fields.iter().find(elsewhere) {
            if field.is_in(language) {
                return Some(format!("did you mean `{}`?", field.spelled(language)));
            }
            return match language {
                Language::Ignition(minor) if field.is_in(Language::Ignition(field.since)) => {
                    let needed = schema::version(field.since.max(minor));
                    Some(format!("`{key}` needs Ignition {needed} or later"))
                }
                Language::Ignition(_) => Some(format!("only Butane has `{key}`")),
                Language::Butane(target) => {
                    let same = TARGETS
                        .iter()
                        .filter(|other| other.variant == target.variant);
                    let first = same
                        .into_iter()
                        .find(|other| field.is_in(Language::Butane(other)));
                    let name = target.variant.name();
                    Some(first.map_or_else(
                        || format!("the {name} variant has no `{key}`"),
                        |first| format!("`{key}` needs {name} {} or later", first.version),
                    ))
                }
            };
        }
        let names = record
            .fields_of(language)
            .map(|field| field.spelled(language));
        let name = nearest(key, names)?;
        Some(format!("did you mean `{name}`?"))
    }
}

/// A scalar as messages call it.
fn described(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Number(text) | Scalar::Plain(text) => quote(text),
        Scalar::Text(text) => format!("the string {}", quote(text)),
        Scalar::Bool(_) | Scalar::Null => scalar.kind().into(),
    }
}

/// Whether a string without its quotes would have the type.
fn unquoted(text: &str, kind: Kind) -> bool {
    let plain = Scalar::Plain(text.into());
    match kind {
        Kind::Integer => matches!(scalar::whole(&plain), Whole::Exact(_)),
        Kind::Bool => scalar::boolean(&plain, false).is_some(),
        _ => false,
    }
}

/// Whether two names differ in case only, by the one-letter foldings that Go's decoder knows:
/// beside ASCII, the long s and the Kelvin sign.
pub(crate) fn alike(name: &str, key: &str) -> bool {
    let fold = |letter: char| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars().map(fold))
}

#[cfg(test)]
mod tests;
