//! Contents given in the config itself or in a file beside it, made into `data:` URLs.
//!
//! Every resource object of the schema is visited: file contents, appends, referenced configs,
//! certificates and key files. Whether a URL is a good one is a rule of Ignition.

use super::child::Child;
use super::encode::{escaped, shortest};
use super::{Context, FilesError};
use crate::schema::{Kind, ROOT, Record};
use crate::tree::Span;
use crate::tree::node::{Node, Object, Value};

pub(super) fn translate(root: &mut Object, context: &mut Context<'_>) {
    visit(root, &ROOT, context);
}

/// The schema does not contain itself, so neither does this recursion go deep.
fn visit(object: &mut Object, record: &'static Record, context: &mut Context<'_>) {
    for field in record.fields {
        let Some(node) = object.get_mut(field.name) else {
            continue;
        };
        match field.kind {
            Kind::Object(inner) => enter(node, inner, record, context),
            Kind::List(list) => {
                if let (Kind::Object(inner), Value::List(items)) = (list.item, &mut node.value) {
                    for item in items {
                        enter(item, inner, record, context);
                    }
                }
            }
            _ => {}
        }
    }
}

fn enter(
    node: &mut Node,
    record: &'static Record,
    parent: &'static Record,
    context: &mut Context<'_>,
) {
    let Some(object) = node.as_object_mut() else {
        return;
    };
    visit(object, record, context);
    if ["resource", "contents"].contains(&record.name) {
        let is_config = parent.name == "configs";
        resource(object, is_config, context);
    }
}

fn resource(object: &mut Object, is_config: bool, context: &mut Context<'_>) {
    let inline = object.take("inline");
    let local = object.take("local");
    let given = [local.as_ref(), inline.as_ref(), object.get("source")];
    let given: Vec<Span> = given.into_iter().flatten().map(|node| node.span).collect();
    if let [_, .., at] = given[..] {
        let message = "only one of `inline`, `local` and `source` can be given";
        context.findings.error("two-sources", at, message);
        return;
    }
    let (span, contents) = match (&inline, &local) {
        (Some(inline), _) => {
            let text = inline.as_text().unwrap_or_default();
            (inline.span, text.as_bytes().to_vec())
        }
        (None, Some(local)) => match context.files.read(local.as_text().unwrap_or_default()) {
            Ok(bytes) => (local.span, bytes),
            Err(error) => return context.refuse(local.span, &error),
        },
        (None, None) => return,
    };
    let packed = object
        .text("compression")
        .is_some_and(|given| !given.is_empty());
    fill(object, span, &contents, context);
    if is_config && !packed {
        context.children.push(Child { span, contents });
    }
}

/// Sets source and compression. Contents that the user compressed are not compressed again.
pub(super) fn fill(object: &mut Object, span: Span, contents: &[u8], context: &mut Context<'_>) {
    if context.target.minor == 0 {
        object.set("source", Node::text(span, escaped(contents)));
        return;
    }
    let user_compressed = object
        .text("compression")
        .is_some_and(|given| !given.is_empty());
    let gzip = context.may_gzip() && !user_compressed;
    match shortest(contents, gzip) {
        Ok(encoded) => {
            object.set("source", Node::text(span, encoded.url));
            if !user_compressed {
                // Said even when there is none: merged over a compressed parent, the field
                // would otherwise be the parent's.
                let compression = if encoded.gzipped { "gzip" } else { "" };
                object.set("compression", Node::text(span, compression));
            }
        }
        Err(source) => {
            let local = String::from("contents");
            context.refuse(span, &FilesError::Io { local, source });
        }
    }
}
