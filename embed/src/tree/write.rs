//! Writes a typed tree as JSON, in the same bytes for the same values.
//!
//! Fields are ordered by name; those that hold an empty list or object are left out, as Ignition
//! does. Everything else is written as it is, what YAML finds unprintable escaped: the text is
//! YAML as well. Reading is [`super::json`].

use super::node::{Node, Object, Value};

/// `node` as JSON with one final newline: in one line, or indented by two spaces.
pub fn json(node: &Node, pretty: bool) -> String {
    let mut writer = Writer {
        out: String::new(),
        indent: pretty.then_some(0),
    };
    writer.node(node);
    writer.out.push('\n');
    writer.out
}

struct Writer {
    out: String,
    /// The depth of the line, if there are lines.
    indent: Option<usize>,
}

impl Writer {
    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Integer(number) => self.out.push_str(&number.to_string()),
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                self.enclosed(['[', ']'], items.iter(), |writer, item| writer.node(item));
            }
            Value::Object(object) => {
                let members = object.members().filter(|(_, member)| !void(&member.node));
                self.enclosed(['{', '}'], members, |writer, (name, member)| {
                    writer.entry(name, &member.node);
                });
            }
            Value::Labels(labels) => {
                self.enclosed(['{', '}'], labels.iter(), |writer, (name, node)| {
                    writer.entry(name, node);
                });
            }
        }
    }

    fn enclosed<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        self.out.push(open);
        let outer = self.indent;
        self.indent = outer.map(|depth| depth + 1);
        let mut any = false;
        for item in items {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line();
            write(self, item);
        }
        self.indent = outer;
        if any {
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        if let Some(depth) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn entry(&mut self, name: &str, node: &Node) {
        self.text(name);
        self.out.push(':');
        if self.indent.is_some() {
            self.out.push(' ');
        }
        self.node(node);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\0'..='\u{1f}'
                | '\u{7f}'..='\u{9f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}' => {
                    self.out.push_str(&format!("\\u{:04x}", u32::from(letter)));
                }
                _ => self.out.push(letter),
            }
        }
        self.out.push('"');
    }
}

/// Whether a field of this value is left out.
fn void(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        Value::Labels(labels) => labels.is_empty(),
        Value::Object(object) => hollow(object),
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) => false,
    }
}

fn hollow(object: &Object) -> bool {
    object.members().all(|(_, member)| void(&member.node))
}

#[cfg(test)]
mod tests;
