//! `boot_device`: a root file system that is encrypted, mirrored, or both.
//!
//! What is written here is what Fedora CoreOS looks for at first boot, by label and by name:
//! Butane's specification of fcos 1.3 and later, section `boot_device`. The user's own storage
//! section is merged over it, so that every part of it can be changed.

mod check;
mod layout;
mod mirror;

use crate::ignition::merge::merge;
use crate::tree::Span;
use crate::tree::node::{Node, Object};

pub(super) use check::check;

use layout::Layout;

/// What of `boot_device` asks for anything to be done.
struct Wanted<'a> {
    span: Span,
    layout: Layout,
    mirror: Option<(Span, &'a [Node])>,
    luks: Option<(Span, &'a Object)>,
}

impl<'a> Wanted<'a> {
    fn of(butane: &'a Object, fcos: u8) -> Option<Self> {
        let node = butane.get("boot_device")?;
        let device = node.as_object()?;
        let named = device.text("layout");
        let layout = named.and_then(|name| Layout::find(name, fcos));
        let mirror = device.get("mirror").and_then(|mirror| {
            let disks = mirror.as_object()?.items("devices");
            (!disks.is_empty()).then_some((mirror.span, disks))
        });
        let luks = device.get("luks").and_then(|luks| {
            let object = luks.as_object()?;
            method(object).then_some((luks.span, object))
        });
        (mirror.is_some() || luks.is_some()).then_some(Self {
            span: node.span,
            layout: layout.unwrap_or(Layout::X86_64),
            mirror,
            luks,
        })
    }
}

/// Whether a way is given in which the volume is unlocked.
fn method(luks: &Object) -> bool {
    luks.is_true("tpm2") || !luks.items("tang").is_empty() || has_cex(luks)
}

fn has_cex(luks: &Object) -> bool {
    luks.object("cex").is_some_and(|cex| cex.is_true("enabled"))
}

/// Puts what `boot_device` asks for beneath the rest of `config`.
pub(super) fn apply(config: Node, butane: &Object, fcos: u8) -> Node {
    let Some(wanted) = Wanted::of(butane, fcos) else {
        return config;
    };
    let mut storage = Object::new();
    if let Some((span, disks)) = wanted.mirror {
        mirror::render(&mut storage, wanted.layout, span, disks);
    }
    if let Some((span, luks)) = wanted.luks {
        let volume = volume(&wanted, span, luks);
        storage.set("luks", Node::list(span, vec![volume]));
    }
    let device = match (wanted.luks, wanted.mirror) {
        (None, Some(_)) => mirror::ROOT_ARRAY,
        _ => "/dev/mapper/root",
    };
    let root = filesystem(wanted.span, device, "xfs", "root");
    storage.items_mut("filesystems", wanted.span).push(root);
    let storage = Node::object(wanted.span, storage);
    let rendered = Object::from([("storage", storage)]);
    merge(Node::object(wanted.span, rendered), config)
}

fn volume(wanted: &Wanted<'_>, span: Span, luks: &Object) -> Node {
    let device = match (wanted.layout.disk(), wanted.mirror) {
        (Some((_, partition)), _) => {
            let disk = luks.text("device").unwrap_or_default();
            format!("{disk}{partition}")
        }
        (None, Some(_)) => mirror::ROOT_ARRAY.to_owned(),
        (None, None) => "/dev/disk/by-partlabel/root".to_owned(),
    };
    let mut volume = Object::from([
        ("name", Node::text(span, "root")),
        ("device", Node::text(span, device)),
        ("label", Node::text(span, "luks-root")),
        ("wipeVolume", Node::bool(span, true)),
    ]);
    let copy = |to: &mut Object, name| {
        if let Some(member) = luks.member(name) {
            to.put(name, member.key, member.node.clone());
        }
    };
    copy(&mut volume, "discard");
    if has_cex(luks) {
        copy(&mut volume, "cex");
    } else {
        let mut clevis = Object::new();
        for name in ["tang", "threshold", "tpm2"] {
            copy(&mut clevis, name);
        }
        volume.set("clevis", Node::object(span, clevis));
    }
    Node::object(span, volume)
}

fn filesystem(span: Span, device: impl Into<String>, format: &str, label: &str) -> Node {
    let fields = Object::from([
        ("device", Node::text(span, device)),
        ("format", Node::text(span, format)),
        ("label", Node::text(span, label)),
        ("wipeFilesystem", Node::bool(span, true)),
    ]);
    Node::object(span, fields)
}

#[cfg(test)]
mod tests;
