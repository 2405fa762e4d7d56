//! `contents_local` of units and drop-ins: a unit file from beside the config.
//!
//! Whether the text is a unit is a rule of Ignition.

use super::{Context, items_mut};
use crate::tree::node::{Node, Object, Value};

pub(super) fn translate(root: &mut Object, context: &mut Context<'_>) {
    for (_, unit) in items_mut(root, "systemd", "units") {
        contents(unit, context);
        dropins(unit, context);
    }
}

/// The drop-ins of a unit or a quadlet.
pub(super) fn dropins(unit: &mut Object, context: &mut Context<'_>) {
    let dropins = unit.get_mut("dropins").map(|node| &mut node.value);
    if let Some(Value::List(dropins)) = dropins {
        for dropin in dropins.iter_mut().filter_map(Node::as_object_mut) {
            contents(dropin, context);
        }
    }
}

/// Replaces `contents_local` by `contents`. An empty name is as none.
pub(super) fn contents(object: &mut Object, context: &mut Context<'_>) {
    let Some(local) = object.take("contents_local") else {
        return;
    };
    if object.get("contents").is_some() {
        let message = "only one of `contents` and `contents_local` can be given";
        context.findings.error("two-sources", local.span, message);
        return;
    }
    let Some(name) = local.as_text().filter(|name| !name.is_empty()) else {
        return;
    };
    match context.files.read_text(name) {
        Ok(text) => {
            object.set("contents", Node::text(local.span, text));
        }
        Err(error) => context.refuse(local.span, &error),
    }
}
