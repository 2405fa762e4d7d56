//! What the variants fcos and openshift have beyond the others: when each of it is looked at.
//!
//! Every kind of sugar has a module of its own; here is only their order, which decides what is
//! merged over what, and what a check can see.

use super::{Context, MachineConfig, boot_device, grub, openshift, warnings};
use crate::schema::{Target, Variant};
use crate::tree::node::{Node, Object};

/// Sections that Ignition has not.
const SECTIONS: [&str; 4] = ["boot_device", "grub", "metadata", "openshift"];

/// Checks the config as the user wrote it, before anything is changed.
pub(super) fn check(root: &Node, context: &mut Context<'_>) {
    let Some(butane) = root.as_object() else {
        return;
    };
    let (target, findings) = (context.target, &mut context.findings);
    warnings::check_source(butane, target, findings);
    boot_device::check(butane, target.fcos.unwrap_or_default(), findings);
    if has_grub(target) {
        grub::check(butane, findings);
    }
    if target.variant == Variant::Openshift {
        openshift::check_source(root, target, findings);
    }
}

fn has_grub(target: &Target) -> bool {
    target.variant != Variant::Openshift || openshift::has_grub(target)
}

/// Takes the sections out of the config.
pub(super) fn take(root: &mut Object) -> Object {
    let mut sections = Object::new();
    for name in SECTIONS {
        if let Some(section) = root.take(name) {
            sections.set(name, section);
        }
    }
    sections
}

/// Puts what the sections ask for beneath the rest of the config.
pub(super) fn apply(config: Node, sections: &Object, context: &mut Context<'_>) -> Node {
    let target = context.target;
    let Some(fcos) = target.fcos else {
        return config;
    };
    let config = boot_device::apply(config, sections, fcos);
    // Before `grub` adds its file system: these are about the user's disks and the mirror's.
    warnings::check_disks(&config, fcos, &mut context.findings);
    let mut config = if has_grub(target) {
        grub::apply(config, sections, context)
    } else {
        config
    };
    if target.variant == Variant::Openshift {
        openshift::adapt(&mut config, sections, target);
        openshift::check_config(&config, context);
    }
    config
}

/// What openshift wraps the config in; a plain config leaves out what only that has.
pub(super) fn machine_config(
    sections: &Object,
    context: &mut Context<'_>,
) -> Option<MachineConfig> {
    if context.target.variant != Variant::Openshift {
        return None;
    }
    if context.raw {
        openshift::check_raw(sections, &mut context.findings);
        return None;
    }
    Some(MachineConfig::of(sections))
}

#[cfg(test)]
pub(super) mod tests;
