//! The operators' interface as one table, from which both its routes and its OpenAPI document are
//! made: what is not described is not there.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};

use crate::http::access::{Access, guard};
use crate::http::{App, api, events, leases, manage, metrics, openapi, rollouts, site, tokens};
use crate::token::Role;

/// What operators can ask.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) role: Role,
    pub(super) summary: &'static str,
    /// Schema of the request's body.
    pub(super) body: Option<&'static str>,
    pub(super) answers: &'static [Answer],
    handler: fn() -> MethodRouter<Arc<App>>,
}

/// Status, meaning, and type and schema of the body.
pub(super) type Answer = (
    u16,
    &'static str,
    Option<(&'static str, Option<&'static str>)>,
);

pub(super) const JSON: &str = "application/json";
const DONE: Answer = (204, "Done and durable", None);
const WRONG: Answer = (400, "The request is wrong", None);
const UNKNOWN: Answer = (404, "No such machine", None);

/// Of an order about a rollout.
const ORDERED: [Answer; 3] = [
    (
        204,
        "Given and durable; several servers follow it within a second",
        None,
    ),
    (404, "No such profile", None),
    (409, "The profile has no `rollout`", None),
];

const fn json(schema: &'static str) -> Answer {
    (200, "As it is now", Some((JSON, Some(schema))))
}

pub(super) const OPERATIONS: &[Operation] = &[
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
        method: "get",
        path: "/api/v1/machines/{mac}/pcap",
        role: Role::Operator,
        summary: "The newest packets of a machine, as a capture file",
        body: None,
        answers: &[
            (200, "pcapng", Some((api::PCAPNG, None))),
            WRONG,
            (404, "Nothing was heard of the machine", None),
        ],
        handler: || get(api::pcap),
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
        method: "post",
        path: "/api/v1/rollouts/{profile}/pause",
        role: Role::Operator,
        summary: "Begin no more installs of a profile for now",
        body: None,
        answers: &ORDERED,
        handler: || post(rollouts::pause),
    },
    Operation {
        method: "post",
        path: "/api/v1/rollouts/{profile}/resume",
        role: Role::Operator,
        summary: "Go on, and forget the failures so far",
        body: None,
        answers: &ORDERED,
        handler: || post(rollouts::resume),
    },
    Operation {
        method: "post",
        path: "/api/v1/rollouts/{profile}/halt",
        role: Role::Operator,
        summary: "Begin no more installs of a profile: its version is bad",
        body: None,
        answers: &ORDERED,
        handler: || post(rollouts::halt),
    },
    Operation {
        method: "get",
        path: "/api/v1/tokens",
        role: Role::Admin,
        summary: "Who has tokens, and for what",
        body: None,
        answers: &[json("Tokens")],
        handler: || get(tokens::list),
    },
    Operation {
        method: "post",
        path: "/api/v1/tokens",
        role: Role::Admin,
        summary: "Make a token; it is told this once",
        body: Some("NewToken"),
        answers: &[
            json("MadeToken"),
            WRONG,
            (409, "The name is taken or cannot be one", None),
        ],
        handler: || post(tokens::make),
    },
    Operation {
        method: "delete",
        path: "/api/v1/tokens/{name}",
        role: Role::Admin,
        summary: "Take a token back; taking the last one back lets nobody in",
        body: None,
        answers: &[DONE, (404, "No such token", None)],
        handler: || delete(tokens::revoke),
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
        handler: || get(async || axum::Json(openapi::document())),
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
pub(super) fn routes(access: &Access) -> Router<Arc<App>> {
    OPERATIONS.iter().fold(Router::new(), |router, operation| {
        let needed = (access.clone(), operation.role);
        let handler = (operation.handler)().layer(from_fn_with_state(needed, guard));
        router.route(operation.path, handler)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_something_takes_more_than_looking() {
        for operation in OPERATIONS {
            let looks = operation.method == "get" || operation.path.ends_with("/check");
            let viewer = operation.role == Role::Viewer;
            assert!(looks || !viewer, "{} {}", operation.method, operation.path);
        }
    }
}
