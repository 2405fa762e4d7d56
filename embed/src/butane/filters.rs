//! Fields that Ignition has and a variant has not, checked on the config that is generated.
//!
//! Generated fields lead back to the sugar that made them. What openshift leaves out needs more
//! than a list of fields and has a file of its own.

use super::Context;
use crate::schema::{Kind, Minor, ROOT, Record, Target, Variant};
use crate::tree::Span;
use crate::tree::node::{Node, Value};

/// A field that a variant refuses when it translates to one of some specs.
struct Filter {
    variant: Variant,
    from: Minor,
    to: Minor,
    /// Ignition names from the root; lists are gone through.
    path: &'static [&'static str],
}

const fn always(variant: Variant, path: &'static [&'static str]) -> Filter {
    Filter {
        variant,
        from: 0,
        to: Minor::MAX,
        path,
    }
}

const KERNEL_ARGUMENTS: &[&str] = &["kernelArguments"];
const DISKS: &[&str] = &["storage", "disks"];
const FILESYSTEMS: &[&str] = &["storage", "filesystems"];
const LUKS: &[&str] = &["storage", "luks"];
const RAID: &[&str] = &["storage", "raid"];

static FILTERS: &[Filter] = &[
    always(Variant::R4e, KERNEL_ARGUMENTS),
    always(Variant::R4e, DISKS),
    always(Variant::R4e, FILESYSTEMS),
    always(Variant::R4e, LUKS),
    always(Variant::R4e, RAID),
    always(Variant::Fiot, KERNEL_ARGUMENTS),
    always(Variant::Fiot, DISKS),
    always(Variant::Fiot, FILESYSTEMS),
    always(Variant::Fiot, LUKS),
    always(Variant::Fiot, RAID),
    Filter {
        variant: Variant::Flatcar,
        from: 3,
        to: 4,
        path: &["storage", "luks", "clevis"],
    },
    Filter {
        variant: Variant::Flatcar,
        from: 7,
        to: Minor::MAX,
        path: &["storage", "luks", "cex"],
    },
];

pub(super) fn check(config: &Node, context: &mut Context<'_>) {
    let target = context.target;
    let mine = FILTERS.iter().filter(|filter| {
        filter.variant == target.variant && (filter.from..=filter.to).contains(&target.minor)
    });
    for filter in mine {
        refuse(config, filter.path, None, context);
    }
}

/// Reports every value of the field at `path` that is not empty, in all items of lists.
pub(super) fn refuse(
    config: &Node,
    path: &'static [&'static str],
    hint: Option<&str>,
    context: &mut Context<'_>,
) {
    let mut found = Vec::new();
    find(config, path, &mut found);
    let Target {
        variant, version, ..
    } = context.target;
    for span in found {
        let (field, variant) = (spelled(path), variant.name());
        let message = format!("`{field}` cannot be used in {variant} {version}");
        context.findings.error("field-unsupported", span, message);
        if let Some(hint) = hint {
            context.findings.hint(hint);
        }
    }
}

/// Collects the places of the values. Goes down one field or list a call; paths are as long as the
/// tables make them.
fn find(node: &Node, path: &[&'static str], found: &mut Vec<Span>) {
    match (&node.value, path) {
        (Value::Object(object), [field]) => {
            if let Some(value) = object.get(field).filter(|value| !is_empty(field, value)) {
                found.push(value.span);
            }
        }
        (Value::Object(object), [field, rest @ ..]) => {
            if let Some(value) = object.get(field) {
                find(value, rest, found);
            }
        }
        (Value::List(items), _) => {
            for item in items {
                find(item, path, found);
            }
        }
        _ => {}
    }
}

/// The path as users of Butane write it.
fn spelled(path: &[&'static str]) -> String {
    let mut names = Vec::new();
    let mut record: Option<&'static Record> = Some(&ROOT);
    for name in path {
        let field = record.and_then(|record| record.field(name));
        names.push(field.map_or(*name, |field| field.yaml));
        record = field.and_then(|field| match field.kind {
            Kind::Object(inner) => Some(inner),
            Kind::List(list) => match list.item {
                Kind::Object(inner) => Some(inner),
                _ => None,
            },
            _ => None,
        });
    }
    names.join(".")
}

/// Whether there is nothing in a value that a machine would act upon.
fn is_empty(field: &str, node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        Value::Object(object) => object
            .members()
            .all(|(name, member)| is_empty(name, &member.node)),
        Value::Labels(labels) => labels.is_empty(),
        // Sugar always writes a compression, if only the empty one.
        Value::Text(text) => text.is_empty() && field == "compression",
        Value::Bool(_) | Value::Integer(_) => false,
    }
}
