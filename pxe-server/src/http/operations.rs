//! The operators' interface as one table, from which both its routes and its OpenAPI document are
//! made: what is not described is not there.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};
use serde_json::{Map, Value, json};

use crate::http::access::{Access, guard};
use crate::http::{App, api, events, leases, manage, metrics, rollouts, site};
use crate::token::Role;

/// What operators can ask.
struct Operation {
    method: &'static str,
    path: &'static str,
    role: Role,
    summary: &'static str,
    /// Schema of the request's body.
    body: Option<&'static str>,
    answers: &'static [Answer],
    handler: fn() -> MethodRouter<App>,
}

/// Status, meaning, and type and schema of the body.
type Answer = (
    u16,
    &'static str,
    Option<(&'static str, Option<&'static str>)>,
);

const JSON: &str = "application/json";
const DONE: Answer = (204, "Done and durable", None);
const WRONG: Answer = (400, "The request is wrong", None);
const UNKNOWN: Answer = (404, "No such machine", None);

const fn json(schema: &'static str) -> Answer {
    (200, "As it is now", Some((JSON, Some(schema))))
}

const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/site",
        role: Role::Viewer,
        summary: "What is served since when, and why the directory's newest state may not be",
        body: None,
        answers: &[json("Site")],
        handler: || get(site::status),
    },
    Operation {
        method: "post",
        path: "/api/v1/site/check",
        role: Role::Viewer,
        summary: "What would come of serving the site's directory as it is now",
        body: None,
        answers: &[json("Checked")],
        handler: || post(manage::check),
    },
    Operation {
        method: "get",
        path: "/api/v1/machines",
        role: Role::Viewer,
        summary: "All machines, without their timelines and what they consist of",
        body: None,
        answers: &[json("Machines")],
        handler: || get(api::list),
    },
    Operation {
        method: "get",
        path: "/api/v1/machines/{mac}",
        role: Role::Viewer,
        summary: "One machine with its timeline, and what it consists of",
        body: None,
        answers: &[json("Machine"), WRONG, UNKNOWN],
        handler: || get(api::one),
    },
    Operation {
        method: "get",
        path: "/api/v1/machines/{mac}/explain",
        role: Role::Viewer,
        summary: "Why a machine gets what it gets, also one that was never seen",
        body: None,
        answers: &[json("Explanation"), WRONG],
        handler: || get(site::explain),
    },
    Operation {
        method: "put",
        path: "/api/v1/machines/{mac}/claim",
        role: Role::Operator,
        summary: "Give a machine a profile by hand",
        body: Some("Claim"),
        answers: &[DONE, WRONG, (409, "No such profile", None)],
        handler: || put(manage::claim),
    },
    Operation {
        method: "delete",
        path: "/api/v1/machines/{mac}/claim",
        role: Role::Operator,
        summary: "Take a claim back: groups decide again",
        body: None,
        answers: &[DONE, WRONG],
        handler: || delete(manage::release),
    },
    Operation {
        method: "post",
        path: "/api/v1/machines/{mac}/reinstall",
        role: Role::Operator,
        summary: "Allow one more install of a machine",
        body: None,
        answers: &[DONE, WRONG, (409, "No group matches the machine", None)],
        handler: || post(manage::reinstall),
    },
    Operation {
        method: "get",
        path: "/api/v1/leases",
        role: Role::Viewer,
        summary: "How each subnet is filled, and who has what address",
        body: None,
        answers: &[
            json("Leases"),
            (404, "This server leases no addresses", None),
        ],
        handler: || get(leases::list),
    },
    Operation {
        method: "get",
        path: "/api/v1/rollouts",
        role: Role::Viewer,
        summary: "How far each profile's rollout is",
        body: None,
        answers: &[json("Rollouts")],
        handler: || get(rollouts::list),
    },
    Operation {
        method: "get",
        path: "/api/v1/events",
        role: Role::Viewer,
        summary: "Events as they happen; `Last-Event-ID` resumes, `reset` says that some are missing",
        body: None,
        answers: &[(
            200,
            "Events until the connection ends",
            Some(("text/event-stream", None)),
        )],
        handler: || get(events::follow),
    },
    Operation {
        method: "get",
        path: "/api/v1/openapi.json",
        role: Role::Viewer,
        summary: "This document",
        body: None,
        answers: &[(200, "OpenAPI 3.1", Some((JSON, None)))],
        handler: || get(async || axum::Json(document())),
    },
    Operation {
        method: "get",
        path: "/metrics",
        role: Role::Viewer,
        summary: "Counts for Prometheus",
        body: None,
        answers: &[(
            200,
            "OpenMetrics",
            Some(("application/openmetrics-text", None)),
        )],
        handler: || get(metrics::metrics),
    },
];

/// The routes, each behind what it takes to ask for it.
pub(super) fn routes(access: &Access) -> Router<App> {
    OPERATIONS.iter().fold(Router::new(), |router, operation| {
        let needed = (access.clone(), operation.role);
        let handler = (operation.handler)().layer(from_fn_with_state(needed, guard));
        router.route(operation.path, handler)
    })
}

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
    if operation.path.contains("{mac}") {
        described["parameters"] = json!([{
            "name": "mac", "in": "path", "required": true,
            "description": "With colons or dashes",
            "schema": {"type": "string"},
        }]);
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
    fn whatever_changes_something_takes_more_than_looking() {
        for operation in OPERATIONS {
            let looks = operation.method == "get" || operation.path.ends_with("/check");
            let viewer = operation.role == Role::Viewer;
            assert_eq!(looks, viewer, "{} {}", operation.method, operation.path);
        }
    }
}
