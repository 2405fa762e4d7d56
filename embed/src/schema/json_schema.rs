//! JSON Schema (draft 2020-12) of each language, from the table: what editors complete and check.
//!
//! Names, types, choices, descriptions and required keys; rules that need code are not in it, so
//! a document that the schema takes may still be refused. Unknown fields, which the programs only
//! warn of, are errors here: an editor that says nothing about a misspelt key helps nobody.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{EXPERIMENTAL, Field, Kind, Language, Minor, NEWEST, ROOT, Record, TARGETS, version};

/// The dialect that the documents are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A plain field that need not be written: a partition may go by its label.
const OPTIONAL_KEY: (&str, &str) = ("partition", "number");

/// A schema document and the file name that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaFile {
    /// `fcos-1.5.0.json`, `ignition-3.4.0.json`; `butane.json` and `ignition.json` choose among
    /// those by what a config declares.
    pub name: String,
    /// The document.
    pub document: Value,
}

/// The schema of one language and version.
pub fn document(language: Language) -> Value {
    let mut records = BTreeMap::new();
    collect(&ROOT, language, &mut records);
    let mut root = match records.remove(ROOT.name) {
        Some(Value::Object(root)) => root,
        _ => Map::new(),
    };
    root.insert("$schema".into(), json!(DIALECT));
    root.insert("title".into(), json!(title(language)));
    root.insert("$defs".into(), json!(records));
    if matches!(language, Language::Ignition(_)) {
        root.insert("required".into(), json!(["ignition"]));
    }
    Value::Object(root)
}

/// The schemas of all stable versions (of experimental ones too, if asked for), and one for each
/// language that chooses among them.
pub fn all(experimental: bool) -> Vec<SchemaFile> {
    let newest = if experimental { EXPERIMENTAL } else { NEWEST };
    let ignition: Vec<Language> = (0..=newest).map(Language::Ignition).collect();
    let butane: Vec<Language> = TARGETS
        .iter()
        .filter(|target| experimental || !target.is_experimental())
        .map(Language::Butane)
        .collect();
    let mut files = vec![
        choice("ignition.json", &["ignition"], &ignition),
        choice("butane.json", &["variant", "version"], &butane),
    ];
    files.extend(
        ignition
            .into_iter()
            .chain(butane)
            .map(|language| SchemaFile {
                name: file_name(language),
                document: document(language),
            }),
    );
    files
}

/// A schema that hands on to the one that a config declares.
fn choice(name: &str, required: &[&str], languages: &[Language]) -> SchemaFile {
    let cases: Vec<Value> = languages
        .iter()
        .map(|language| {
            json!({"if": declaration(*language), "then": {"$ref": file_name(*language)}})
        })
        .collect();
    let any: Vec<Value> = languages
        .iter()
        .map(|language| declaration(*language))
        .collect();
    SchemaFile {
        name: name.to_owned(),
        document: json!({
            "$schema": DIALECT,
            "type": "object",
            "required": required,
            "anyOf": any,
            "allOf": cases,
        }),
    }
}

/// What a config of `language` says about itself.
fn declaration(language: Language) -> Value {
    match language {
        Language::Ignition(minor) => json!({
            "properties": {"ignition": {
                "properties": {"version": {"const": version(minor)}},
                "required": ["version"],
            }},
            "required": ["ignition"],
        }),
        Language::Butane(target) => json!({
            "properties": {
                "variant": {"const": target.variant.name()},
                "version": {"const": target.version},
            },
            "required": ["variant", "version"],
        }),
    }
}

fn title(language: Language) -> String {
    match language {
        Language::Ignition(minor) => format!("Ignition {}", version(minor)),
        Language::Butane(target) => format!("Butane {} {}", target.variant.name(), target.version),
    }
}

fn file_name(language: Language) -> String {
    match language {
        Language::Ignition(minor) => format!("ignition-{}.json", version(minor)),
        Language::Butane(target) => format!("{}-{}.json", target.variant.name(), target.version),
    }
}

/// Adds the schema of `record` and of all that it refers to.
fn collect(
    record: &'static Record,
    language: Language,
    records: &mut BTreeMap<&'static str, Value>,
) {
    if records.contains_key(record.name) {
        return;
    }
    // Holds the name while the fields are walked, so that no record is walked twice.
    records.insert(record.name, Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in record.fields_of(language) {
        let name = field.spelled(language);
        let mut schema = of_kind(field.kind, language, records);
        schema.insert("description".into(), json!(field.doc));
        let values = values(field, language.minor());
        if !values.is_empty() {
            schema.insert("enum".into(), json!(values));
        }
        if let Some(value) = fixed(record, field, language) {
            schema.insert("const".into(), json!(value));
        }
        properties.insert(name.to_owned(), Value::Object(schema));
        if field.plain && (record.name, field.name) != OPTIONAL_KEY {
            required.push(name);
        }
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (false, Some(object)) = (required.is_empty(), schema.as_object_mut()) {
        object.insert("required".into(), json!(required));
    }
    records.insert(record.name, schema);
}

fn of_kind(
    kind: Kind,
    language: Language,
    records: &mut BTreeMap<&'static str, Value>,
) -> Map<String, Value> {
    let schema = match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Labels => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Object(record) => {
            collect(record, language, records);
            json!({"$ref": format!("#/$defs/{}", record.name)})
        }
        Kind::List(list) => {
            json!({"type": "array", "items": of_kind(list.item, language, records)})
        }
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// The strings that a field may hold at this spec.
fn values(field: &Field, minor: Minor) -> Vec<&'static str> {
    let known = field.values.iter().filter(|(_, since)| *since <= minor);
    known.map(|(value, _)| *value).collect()
}

/// The one value that the language's own declaration has.
fn fixed(record: &Record, field: &Field, language: Language) -> Option<&'static str> {
    match (record.name, field.name, language) {
        ("ignition", "version", Language::Ignition(minor)) => Some(version(minor)),
        ("config", "variant", Language::Butane(target)) => Some(target.variant.name()),
        ("config", "version", Language::Butane(target)) => Some(target.version),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
