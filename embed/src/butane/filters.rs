//! Fields that Ignition has and a variant has not, checked on the config that is generated.
//!
//! Generated fields lead back to the sugar that made them. What openshift leaves out needs more
//! than a list of fields and has a file of its own.

use super::Context;
use crate::schema::{Kind, Minor, ROOT, Record, Variant};
use crate::tree::node::{Node, Object, Value};

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

pub(super) fn check(root: &Object, context: &mut Context<'_>) {
    let target = context.target;
    let mine = FILTERS.iter().filter(|filter| {
        filter.variant == target.variant && (filter.from..=filter.to).contains(&target.minor)
    });
    for filter in mine {
        refuse(root, filter.path, context);
    }
}

/// Reports every value of the field at `path` that is not empty, in all items of lists.
pub(super) fn refuse(root: &Object, path: &'static [&'static str], context: &mut Context<'_>) {
    descend(root, &ROOT, path, &mut Vec::new(), context);
}

/// Goes down one field a call; paths are as long as the table makes them.
fn descend(
    object: &Object,
    record: &'static Record,
    path: &'static [&'static str],
    spelled: &mut Vec<&'static str>,
    context: &mut Context<'_>,
) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let (Some(field), Some(node)) = (record.field(name), object.get(name)) else {
        return;
    };
    spelled.push(field.yaml);
    if rest.is_empty() {
        if !is_empty(name, node) {
            let message = format!(
                "`{}` cannot be used in {} {}",
                spelled.join("."),
                context.target.variant.name(),
                context.target.version
            );
            context
                .findings
                .error("field-unsupported", node.span, message);
        }
    } else {
        let (inner, nodes) = match field.kind {
            Kind::Object(inner) => (inner, std::slice::from_ref(node)),
            Kind::List(list) => match list.item {
                Kind::Object(inner) => (inner, node.items()),
                _ => return,
            },
            _ => return,
        };
        for object in nodes.iter().filter_map(Node::as_object) {
            descend(object, inner, rest, spelled, context);
        }
    }
    spelled.pop();
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
