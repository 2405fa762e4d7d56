//! The functions that templates call, and how values are shown, compared and taken for true.

use std::cmp::Ordering;

use serde_json::Value;

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, String> {
    match (name, arguments) {
        ("not", [value]) => Ok((!is_true(value)).into()),
        ("len", [value]) => length(value),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value, index).cloned(),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            let mut any = false;
            for other in others {
                any |= equal(first, other)?;
            }
            Ok(any.into())
        }
        ("ne", [a, b]) => Ok((!equal(a, b)?).into()),
        ("lt", [a, b]) => Ok(order(a, b)?.is_lt().into()),
        ("le", [a, b]) => Ok(order(a, b)?.is_le().into()),
        ("gt", [a, b]) => Ok(order(a, b)?.is_gt().into()),
        ("ge", [a, b]) => Ok(order(a, b)?.is_ge().into()),
        ("print", values) => Ok(print(values).into()),
        ("println", values) => {
            let words: Vec<String> = values.iter().map(shown).collect();
            Ok(format!("{}\n", words.join(" ")).into())
        }
        ("printf", [Value::String(format), values @ ..]) => Ok(printf(format, values)?.into()),
        ("urlquery", values) => Ok(urlquery(&print(values)).into()),
        ("not" | "len" | "index" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "printf", _) => {
            Err(format!("`{name}` does not take these arguments"))
        }
        _ => Err(format!("no function `{name}`")),
    }
}

/// False, zero, nothing and what is empty are not true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A value as Go's `%v` shows it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{name}:{}", shown(value)))
                .collect();
            format!("map[{}]", items.join(" "))
        }
    }
}

fn length(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) => Ok(text.len().into()),
        Value::Array(list) => Ok(list.len().into()),
        Value::Object(map) => Ok(map.len().into()),
        other => Err(format!("{} has no length", shown(other))),
    }
}

/// An element; of a map, nothing where there is none.
fn index<'v>(value: &'v Value, key: &Value) -> Result<&'v Value, String> {
    match (value, key) {
        (Value::Object(map), Value::String(key)) => Ok(map.get(key).unwrap_or(&Value::Null)),
        (Value::Array(list), Value::Number(key)) => {
            let at = key.as_u64().and_then(|at| usize::try_from(at).ok());
            let item = at.and_then(|at| list.get(at));
            item.ok_or_else(|| format!("no element {key} of {}", list.len()))
        }
        _ => Err(format!("no element {} of {}", shown(key), shown(value))),
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(a.as_f64() == b.as_f64()),
        (Value::Null, _) | (_, Value::Null) => Ok(a == b),
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => Ok(a == b),
        _ => Err(format!("cannot compare {} and {}", shown(a), shown(b))),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, String> {
    let ordered = match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    ordered.ok_or_else(|| format!("cannot compare {} and {}", shown(a), shown(b)))
}

/// With a space between two values neither of which is text.
fn print(values: &[Value]) -> String {
    let mut text = String::new();
    let mut last: Option<&Value> = None;
    for value in values {
        if last.is_some_and(|last| !last.is_string() && !value.is_string()) {
            text.push(' ');
        }
        text.push_str(&shown(value));
        last = Some(value);
    }
    text
}

/// The verbs `%s`, `%v`, `%d`, `%q`, `%t` and `%%`, without widths.
fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut values = values.iter();
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let verb = letters.next().unwrap_or(' ');
        if verb == '%' {
            text.push('%');
            continue;
        }
        let value = values
            .next()
            .ok_or_else(|| format!("`%{verb}` has no value"))?;
        match (verb, value) {
            ('q', Value::String(quoted)) => {
                text.push_str(&Value::String(quoted.clone()).to_string())
            }
            ('s' | 'v', value) => text.push_str(&shown(value)),
            ('d', Value::Number(number)) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                text.push_str(&shown(value))
            }
            ('t', Value::Bool(value)) => text.push_str(&value.to_string()),
            _ => return Err(format!("`%{verb}` cannot show {}", shown(value))),
        }
    }
    match values.next() {
        None => Ok(text),
        Some(left) => Err(format!("no verb for {}", shown(left))),
    }
}

/// As Go escapes a text for a query.
fn urlquery(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
