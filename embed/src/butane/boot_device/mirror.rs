//! Mirrors of the boot disk: partitions of each disk, arrays over them, file systems on those.
//!
//! Every disk gets an EFI system partition of its own, since firmware writes to them behind the
//! back of any array. Partitions have no numbers, so that users can change them by label.

use crate::tree::Span;
use crate::tree::node::{Node, Object};

use super::filesystem;
use super::layout::{BOOT, ESP, Layout, Partition, ROOT};

/// The array that takes the place of the root partition.
pub(super) const ROOT_ARRAY: &str = "/dev/md/md-root";
const BOOT_ARRAY: &str = "/dev/md/md-boot";

pub(super) fn render(storage: &mut Object, layout: Layout, span: Span, disks: &[Node]) {
    let mut filesystems = Vec::new();
    let mut partitioned = Vec::new();
    for (disk, number) in disks.iter().zip(1_usize..) {
        partitioned.push(partition(layout, disk, number));
        if layout.has_esp() {
            let label = format!("{}-{number}", ESP.label);
            filesystems.push(filesystem(disk.span, by_label(&label), "vfat", &label));
        }
    }
    filesystems.push(filesystem(span, BOOT_ARRAY, "ext4", "boot"));
    let mut boot = array(span, "md-boot", BOOT, disks);
    // With its superblock at the end, firmware and GRUB can read a member as a plain partition.
    let option = Node::text(span, "--metadata=1.0");
    boot.set("options", Node::list(span, vec![option]));
    let arrays = [boot, array(span, "md-root", ROOT, disks)];
    let arrays = arrays.map(|array| Node::object(span, array));
    storage.set("disks", Node::list(span, partitioned));
    storage.set("raid", Node::list(span, arrays.into()));
    storage.set("filesystems", Node::list(span, filesystems));
}

fn by_label(label: &str) -> String {
    format!("/dev/disk/by-partlabel/{label}")
}

fn partition(layout: Layout, disk: &Node, number: usize) -> Node {
    let span = disk.span;
    let partition = |of: Partition| {
        let label = format!("{}-{number}", of.label);
        let mut fields = Object::from([("label", Node::text(span, label))]);
        if let Some(size) = of.size_mib {
            fields.set("sizeMiB", Node::integer(span, size));
        }
        if let Some(guid) = of.type_guid {
            fields.set("typeGuid", Node::text(span, guid));
        }
        Node::object(span, fields)
    };
    let partitions = layout.partitions().map(partition);
    let fields = Object::from([
        ("device", disk.clone()),
        ("wipeTable", Node::bool(span, true)),
        ("partitions", Node::list(span, partitions.into())),
    ]);
    Node::object(span, fields)
}

fn array(span: Span, name: &str, over: Partition, disks: &[Node]) -> Object {
    let member = |(disk, number): (&Node, usize)| {
        let label = format!("{}-{number}", over.label);
        Node::text(disk.span, by_label(&label))
    };
    let members = disks.iter().zip(1..).map(member).collect();
    Object::from([
        ("name", Node::text(span, name)),
        ("level", Node::text(span, "raid1")),
        ("devices", Node::list(span, members)),
    ])
}
