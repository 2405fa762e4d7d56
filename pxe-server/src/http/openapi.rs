//! The OpenAPI document of the operators' interface, made from the table of its operations.

use serde_json::{Map, Value, json};

use super::operations::{JSON, OPERATIONS, Operation};

/// What paths have in braces, and what it means.
const PARAMETERS: [(&str, &str); 3] = [
    ("mac", "The machine, with colons or dashes"),
    ("profile", "Name of the profile"),
    ("name", "Who has the token"),
];

/// The OpenAPI document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), describe(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pxe-server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What operators see and do. Errors are one line of text.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
            "schemas": super::schemas::all(),
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let refused = [
        (401, "The token is missing or not known", None),
        (403, "The role does not allow it", None),
    ];
    let mut answers = Map::new();
    for (status, meaning, content) in operation.answers.iter().chain(&refused) {
        let mut answer = json!({"description": meaning});
        if let Some((kind, schema)) = content {
            let schema = schema.map_or(json!({}), |name| json!({"schema": reference(name)}));
            answer["content"] = json!({*kind: schema});
        }
        answers.insert(status.to_string(), answer);
    }
    let mut described = json!({
        "summary": operation.summary,
        "description": format!("Takes the role `{}`.", operation.role),
        "security": [{"token": []}, {"certificate": []}],
        "responses": answers,
    });
    let parameters = PARAMETERS.iter();
    let named = parameters.filter(|(name, _)| operation.path.contains(&format!("{{{name}}}")));
    let named: Vec<Value> = named
        .map(|(name, meaning)| parameter(name, meaning))
        .collect();
    if !named.is_empty() {
        described["parameters"] = named.into();
    }
    if let Some(body) = operation.body {
        let content = json!({JSON: {"schema": reference(body)}});
        described["requestBody"] = json!({"required": true, "content": content});
    }
    described
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn parameter(name: &str, meaning: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true,
        "description": meaning,
        "schema": {"type": "string"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` below `value`.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn whatever_the_document_refers_to_is_in_it() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 5, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_part_of_a_path_that_varies_is_described() {
        for operation in OPERATIONS {
            let described = describe(operation);
            let parameters = described["parameters"].as_array().map_or(0, Vec::len);
            let parts = operation.path.matches('{').count();
            assert_eq!(parameters, parts, "{}", operation.path);
        }
    }
}
