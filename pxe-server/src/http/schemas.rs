//! The shapes of what operators get and send, as JSON Schema for the OpenAPI document. A test
//! holds them against real answers.

use serde_json::{Value, json};

use crate::machine::State;
use crate::token::Role;

/// All of them, by name.
pub(super) fn all() -> Value {
    json!({
        "Site": object(json!({
            "generation": {"type": "integer", "description": "Counts the sites since the start, from 1"},
            "since": time(),
            "refused": {"anyOf": [{"$ref": "#/components/schemas/Refused"}, {"type": "null"}]},
            "media": text("Name, version and architecture of the live system"),
            "profiles": list(json!({"type": "string"})),
            "groups": list(json!({"type": "string"})),
            "warnings": list(json!({"type": "string"})),
        })),
        "Refused": object(json!({
            "time": time(),
            "error": text("What is wrong"),
            "cause": maybe("string", "Why that is wrong"),
            "file": maybe("string", "The file"),
            "line": maybe("integer", "Line in it, from 1"),
        })),
        "Checked": object(json!({
            "refused": {"anyOf": [{"$ref": "#/components/schemas/Refused"}, {"type": "null"}]},
            "warnings": list(json!({"type": "string"})),
        })),
        "Machines": object(json!({
            "machines": list(json!({"$ref": "#/components/schemas/Machine"})),
        })),
        "Machine": machine(),
        "Event": event(),
        "Explanation": {
            "type": "object",
            "description": "The verdict on each group, and what is chosen",
        },
        "Leases": object(json!({
            "subnets": list(json!({"type": "object"})),
            "leases": list(object(json!({
                "address": text("The address"),
                "mac": text("Who has it"),
                "hostname": maybe("string", "What it calls itself"),
                "seconds-left": {"type": "integer"},
            }))),
        })),
        "Rollouts": object(json!({
            "rollouts": list(json!({"type": "object"})),
        })),
        "Tokens": object(json!({
            "tokens": list(object(json!({"name": text("Who has it"), "role": role()}))),
        })),
        "NewToken": object(json!({"name": text("Who gets it"), "role": role()})),
        "MadeToken": object(json!({"token": text("The token; nobody is told it again")})),
        "Claim": object(json!({"profile": text("Name of the profile")})),
    })
}

fn machine() -> Value {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    json!({
        "type": "object",
        "required": ["mac", "state", "first-seen", "last-seen"],
        "properties": {
            "mac": text("Address, with colons"),
            "state": {"enum": states},
            "group": maybe("string", "The group that it belongs to"),
            "claim": maybe("string", "The profile that an operator chose for it"),
            "profile": maybe("string", "The profile that it gets"),
            "uuid": maybe("string", "From DHCP or iPXE"),
            "serial": maybe("string", "From iPXE"),
            "asset": maybe("string", "From iPXE"),
            "hostname": maybe("string", "From DHCP or iPXE"),
            "arch": maybe("string", "Family of its firmware, from DHCP"),
            "cpu": maybe("string", "x86_64 or aarch64"),
            "address": maybe("string", "An address in its subnet"),
            "circuit-id": maybe("string", "The relay's port"),
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "percent": maybe("integer", "Progress of the install"),
            "failure": maybe("string", "Why the last install failed"),
            "identity": {"type": ["object", "null"], "description": "What the first boot reported"},
            "hardware": {"type": "object", "description": "What it consists of, if it was discovered"},
            "first-seen": time(),
            "last-seen": time(),
            "timeline": list(json!({"$ref": "#/components/schemas/Event"})),
        },
        "additionalProperties": false,
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "required": ["seq", "time", "event"],
        "properties": {
            "mac": text("The machine, where events of several are told"),
            "seq": {"type": "integer", "description": "Counts up from 1 for each machine"},
            "time": time(),
            "event": text("What happened; further keys depend on it"),
        },
    })
}

/// An object that has all of these.
fn object(properties: Value) -> Value {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    json!({"type": "object", "required": names, "properties": properties, "additionalProperties": false})
}

fn role() -> Value {
    let roles = Role::ALL.map(Role::name);
    json!({"enum": roles})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn maybe(kind: &str, description: &str) -> Value {
    json!({"type": [kind, "null"], "description": description})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}
