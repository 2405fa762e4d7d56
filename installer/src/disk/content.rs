//! What is on a disk, without mounting or writing anything: its partitions, and the file systems
//! and containers on them by their magic numbers. Looked at before people choose a disk to erase.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use serde::Serialize;

use super::table::{self, Label};
use super::{Disk, SectorSize};

/// Bytes from the start of a partition that hold all known magic numbers and labels, but for the
/// one of btrfs' that lies last.
const LEN: usize = 0x1_1000;

/// Which partition table there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// A GPT.
    Gpt,
    /// An MBR.
    Mbr,
    /// A GPT with both copies damaged.
    Damaged,
    /// None.
    None,
}

/// What a partition or a disk without partitions holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Type as blkid(8) calls it.
    pub kind: &'static str,
    /// Label; empty without one.
    pub label: String,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartitionContent {
    /// Number, from 1.
    pub number: u32,
    /// Name in the partition table.
    pub label: String,
    /// Bytes.
    pub size: u64,
    /// What it holds, if that is known.
    pub holds: Option<Held>,
}

/// What is on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Content {
    /// The partition table.
    pub table: TableKind,
    /// Partitions of a GPT.
    pub partitions: Vec<PartitionContent>,
    /// What the disk holds as a whole.
    pub holds: Option<Held>,
}

/// Looks at `disk`.
pub(crate) fn look(disk: &dyn Disk) -> io::Result<Content> {
    let (kind, table) = match table::read(disk)? {
        Label::Gpt(table) => (TableKind::Gpt, Some(table)),
        Label::Mbr => (TableKind::Mbr, None),
        Label::Damaged(_) => (TableKind::Damaged, None),
        Label::None => (TableKind::None, None),
    };
    let mut partitions = Vec::new();
    for partition in table.iter().flat_map(|table| table.partitions()) {
        partitions.push(PartitionContent {
            // An entry that points beyond the disk holds nothing that can be read.
            holds: held(disk, partition.start, partition.length).unwrap_or_default(),
            number: partition.number,
            label: partition.name,
            size: partition.length,
        });
    }
    let holds = match kind {
        TableKind::None => held(disk, 0, disk.len())?,
        _ => None,
    };
    Ok(Content {
        table: kind,
        partitions,
        holds,
    })
}

/// What lies at `start` of `disk`, looking at no more than `len` bytes.
pub(crate) fn held(disk: &dyn Disk, start: u64, len: u64) -> io::Result<Option<Held>> {
    let len = len.min(disk.len().saturating_sub(start));
    let mut bytes = vec![0u8; usize::try_from(len).map_or(LEN, |len| len.min(LEN))];
    disk.read_at(start, &mut bytes)?;
    Ok(recognise(&bytes))
}

/// Where a magic number lies, and the label: its place and greatest length.
struct Magic {
    kind: &'static str,
    at: usize,
    magic: &'static [u8],
    label: Option<(usize, usize)>,
}

const fn magic(
    kind: &'static str,
    at: usize,
    magic: &'static [u8],
    label: Option<(usize, usize)>,
) -> Magic {
    Magic {
        kind,
        at,
        magic,
        label,
    }
}

/// Containers come before file systems: what they hold may shine through.
const MAGICS: &[Magic] = &[
    magic("crypto_LUKS", 0, b"LUKS\xba\xbe", None),
    magic("LVM2_member", 0x218, b"LVM2 001", None),
    magic(
        "linux_raid_member",
        0x1000,
        b"\xfc\x4e\x2b\xa9",
        Some((0x1020, 32)),
    ),
    magic("xfs", 0, b"XFSB", Some((108, 12))),
    magic("btrfs", 0x1_0040, b"_BHRfS_M", Some((0x1_012b, 256))),
    magic("erofs", 0x400, b"\xe2\xe1\xf5\xe0", Some((0x440, 16))),
    magic("squashfs", 0, b"hsqs", None),
    magic("iso9660", 0x8001, b"CD001", Some((0x8028, 32))),
    magic("swap", 0xff6, b"SWAPSPACE2", Some((0x41c, 16))),
    magic("ntfs", 3, b"NTFS    ", None),
    magic("exfat", 3, b"EXFAT   ", None),
    magic("vfat", 0x52, b"FAT32   ", Some((0x47, 11))),
    magic("vfat", 0x36, b"FAT16   ", Some((0x2b, 11))),
    magic("vfat", 0x36, b"FAT12   ", Some((0x2b, 11))),
];

fn recognise(bytes: &[u8]) -> Option<Held> {
    if bytes.get(0x438..0x43a) == Some(&[0x53, 0xef]) {
        let kind = ext_kind(bytes);
        return Some(Held {
            kind,
            label: text(bytes, 0x478, 16),
        });
    }
    let found = MAGICS
        .iter()
        .find(|m| bytes.get(m.at..).is_some_and(|b| b.starts_with(m.magic)))?;
    Some(Held {
        kind: found.kind,
        label: found
            .label
            .map(|(at, len)| text(bytes, at, len))
            .unwrap_or_default(),
    })
}

/// By `s_feature_compat` (journal) and `s_feature_incompat` (extents).
fn ext_kind(bytes: &[u8]) -> &'static str {
    let bit = |at: usize, bit: u8| bytes.get(at).is_some_and(|byte| byte & bit != 0);
    if bit(0x460, 0x40) {
        "ext4"
    } else if bit(0x45c, 0x04) {
        "ext3"
    } else {
        "ext2"
    }
}

/// Text up to a NUL, without the blanks that fill it up or control characters, which a terminal
/// would obey.
fn text(bytes: &[u8], at: usize, len: usize) -> String {
    let field = bytes
        .get(at..)
        .map(|rest| rest.get(..len).unwrap_or(rest))
        .unwrap_or_default();
    let field = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let text: String = String::from_utf8_lossy(field)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    match text.trim() {
        "NO NAME" => String::new(),
        label => label.to_owned(),
    }
}

/// A block device that is only read, whoever uses it.
pub(crate) struct Glance {
    pub(crate) file: File,
    pub(crate) len: u64,
    pub(crate) sector: SectorSize,
}

impl Disk for Glance {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector_size(&self) -> SectorSize {
        self.sector
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn zero_range(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
