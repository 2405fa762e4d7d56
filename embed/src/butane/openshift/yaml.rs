//! A MachineConfig as YAML text: block style, keys sorted, scalars quoted unless they are plainly
//! text.
//!
//! Not a general writer: it knows the values that configs hold. YAML 1.2.2; words that YAML 1.1
//! reads as booleans or null are quoted too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::tree::node::{Node, Value};

use super::MachineConfig;

/// Keys beyond 1024 characters, escapes included, must be marked as keys (YAML 1.2.2, 7.4.3).
const LONGEST_KEY: usize = 100;

/// Values in the order in which they are written.
enum Yaml<'a> {
    Text(&'a str),
    Integer(i64),
    Bool(bool),
    List(Vec<Yaml<'a>>),
    Map(BTreeMap<&'a str, Yaml<'a>>),
}

pub(super) fn write(machine: &MachineConfig, config: &Node) -> String {
    let mut metadata = BTreeMap::from([("name", Yaml::Text(&machine.name))]);
    let labels = machine.labels.iter();
    let labels: BTreeMap<_, _> = labels
        .map(|(key, value)| (key.as_str(), Yaml::Text(value)))
        .collect();
    if !labels.is_empty() {
        metadata.insert("labels", Yaml::Map(labels));
    }
    let config = from_node(config).unwrap_or(Yaml::Map(BTreeMap::new()));
    let mut spec = BTreeMap::from([("config", config)]);
    let lists = [
        ("kernelArguments", &machine.kernel_arguments),
        ("extensions", &machine.extensions),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let list = list.iter().map(|item| Yaml::Text(item)).collect();
        spec.insert(name, Yaml::List(list));
    }
    if let Some(fips) = machine.fips {
        spec.insert("fips", Yaml::Bool(fips));
    }
    if let Some(kind) = &machine.kernel_type {
        spec.insert("kernelType", Yaml::Text(kind));
    }
    let document = BTreeMap::from([
        (
            "apiVersion",
            Yaml::Text("machineconfiguration.openshift.io/v1"),
        ),
        ("kind", Yaml::Text("MachineConfig")),
        ("metadata", Yaml::Map(metadata)),
        ("spec", Yaml::Map(spec)),
    ]);
    let mut out = String::from("# Generated from a Butane config; changes here will be lost\n");
    map(&mut out, &document, 0);
    out
}

/// The value without empty objects and lists; nothing if it is one itself.
fn from_node(node: &Node) -> Option<Yaml<'_>> {
    match &node.value {
        Value::Text(text) => Some(Yaml::Text(text)),
        Value::Integer(number) => Some(Yaml::Integer(*number)),
        Value::Bool(value) => Some(Yaml::Bool(*value)),
        Value::List(items) => {
            let item = |node| from_node(node).unwrap_or(Yaml::Map(BTreeMap::new()));
            let items: Vec<_> = items.iter().map(item).collect();
            (!items.is_empty()).then_some(Yaml::List(items))
        }
        Value::Object(object) => {
            let field = |(name, member)| Some((name, from_node(member)?));
            let members = object.members().map(|(name, member)| (name, &member.node));
            let fields: BTreeMap<_, _> = members.filter_map(field).collect();
            (!fields.is_empty()).then_some(Yaml::Map(fields))
        }
        Value::Labels(labels) => {
            let field = |(name, node)| Some((name, from_node(node)?));
            let labels = labels.iter().map(|(name, node)| (name.as_str(), node));
            let fields: BTreeMap<_, _> = labels.filter_map(field).collect();
            (!fields.is_empty()).then_some(Yaml::Map(fields))
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn map(out: &mut String, entries: &BTreeMap<&str, Yaml<'_>>, depth: usize) {
    for (index, (key, value)) in entries.iter().enumerate() {
        // The first entry of a map in a list stands behind the dash.
        if index > 0 || !out.ends_with("- ") {
            indent(out, depth);
        }
        if key.len() > LONGEST_KEY {
            out.push_str("? ");
            scalar(out, key);
            out.push('\n');
            indent(out, depth);
        } else {
            scalar(out, key);
        }
        out.push(':');
        entry(out, value, depth + 1);
    }
}

fn list(out: &mut String, items: &[Yaml<'_>], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        match item {
            Yaml::Map(entries) if !entries.is_empty() => {
                out.push(' ');
                map(out, entries, depth + 1);
            }
            other => entry(out, other, depth + 1),
        }
    }
}

/// What follows a key or a dash, with its newline.
fn entry(out: &mut String, value: &Yaml<'_>, depth: usize) {
    match value {
        Yaml::List(items) => {
            out.push('\n');
            list(out, items, depth);
            return;
        }
        Yaml::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            map(out, entries, depth);
            return;
        }
        Yaml::Text(text) if is_literal(text) => {
            literal(out, text, depth);
            return;
        }
        _ => out.push(' '),
    }
    match value {
        Yaml::Text(text) => scalar(out, text),
        Yaml::Integer(number) => out.push_str(&number.to_string()),
        Yaml::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Yaml::List(_) | Yaml::Map(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// Whether `text` has lines that can stand as they are, indented.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let printable = |letter: char| match letter {
        '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{d7ff}' => {
            !matches!(letter, '\u{2028}' | '\u{2029}')
        }
        '\u{e000}'..='\u{fffd}' => letter != '\u{feff}',
        other => other > '\u{ffff}',
    };
    body.contains('\n')
        && !body.starts_with(['\n', ' ', '\t'])
        && !body.ends_with('\n')
        && body
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && text.chars().all(printable)
}

fn literal(out: &mut String, text: &str, depth: usize) {
    out.push_str(if text.ends_with('\n') {
        " |\n"
    } else {
        " |-\n"
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn scalar(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        quoted(out, text);
    }
}

/// Whether `text` needs no quotes: nothing in it has a meaning in YAML, and no reader takes it for
/// a number, a boolean or null.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || " _-./@+=,:;~%()".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(allowed)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(letter),
            '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' => out.push(letter),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\U{:08x}", u32::from(other));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
