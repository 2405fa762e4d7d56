//! Disks, from `/sys/block`: SCSI, ATA, NVMe, virtio, MMC.

use embed::hardware::{Disk, Text};

use super::Tree;

/// `size` counts these, whatever the disk's sectors are.
const BLOCK: u64 = 512;
/// Drives of other media: they have a device, and are no disks.
const OTHERS: [&str; 4] = ["sr", "fd", "mtdblock", "nbd"];

/// Every disk with a device behind it and something on it to read.
pub(super) fn of(tree: &Tree) -> Vec<Disk> {
    let entries = tree.list("sys/block").into_iter();
    entries
        .filter_map(|(name, block)| disk(&name, &block))
        .collect()
}

fn disk(name: &str, block: &Tree) -> Option<Disk> {
    let is_other = OTHERS.iter().any(|other| name.starts_with(other));
    // A path of a multipath NVMe disk is hidden: the disk has an entry of its own.
    if is_other || !block.has("device") || block.flag("hidden") == Some(true) {
        return None;
    }
    let size = block.number::<u64>("size").filter(|size| *size > 0)?;
    Some(Disk {
        name: Text::of(name),
        size: size.checked_mul(BLOCK)?,
        sector_size: block.number("queue/logical_block_size"),
        rotational: block.flag("queue/rotational"),
        model: block
            .text("device/model")
            .or_else(|| block.text("device/name")),
        serial: serial(block),
    })
}

/// NVMe and MMC have it at the device, virtio at the disk, SCSI and ATA in a page of vital product
/// data: two bytes, its length in two, the text (SPC-4, 7.8.15).
fn serial(block: &Tree) -> Option<Text> {
    let page = || {
        let page = block.bytes("device/vpd_pg80")?;
        let length = u16::from_be_bytes([*page.get(2)?, *page.get(3)?]);
        let text = page.get(4..4 + usize::from(length))?;
        Text::of(&String::from_utf8_lossy(text))
    };
    block
        .text("device/serial")
        .or_else(|| block.text("serial"))
        .or_else(page)
}
