//! File systems and containers by their magic numbers, with label and UUID where their superblocks
//! have them; read from the first bytes of a partition, believed no further than for showing.
//!
//! Places and spellings are those of blkid(8).

use serde::Serialize;
use uuid::Uuid;

/// Bytes from the start of a partition that hold all known magic numbers, labels and UUIDs, but
/// for the one of btrfs' that lies last.
pub(crate) const LEN: usize = 0x1_1000;

/// What a partition or a disk without partitions holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Type as blkid(8) calls it.
    pub kind: &'static str,
    /// Label; empty without one.
    pub label: String,
    /// UUID or serial number, written as blkid(8) writes it.
    pub uuid: Option<String>,
}

/// How a UUID is kept.
#[derive(Clone, Copy)]
enum Id {
    /// 16 bytes.
    Uuid(usize),
    /// 32 bits, little-endian, written as `0123-ABCD`.
    Serial32(usize),
    /// 64 bits, little-endian, in hexadecimal digits.
    Serial64(usize),
    /// Text of at most so many bytes.
    Text(usize, usize),
}

/// Where a magic number lies, and what belongs to it.
struct Magic {
    kind: &'static str,
    at: usize,
    magic: &'static [u8],
    /// Place and greatest length.
    label: Option<(usize, usize)>,
    id: Option<Id>,
}

const fn magic(
    kind: &'static str,
    at: usize,
    magic: &'static [u8],
    label: Option<(usize, usize)>,
    id: Option<Id>,
) -> Magic {
    Magic {
        kind,
        at,
        magic,
        label,
        id,
    }
}

/// Containers come before file systems: what they hold may shine through.
const MAGICS: &[Magic] = &[
    magic(
        "crypto_LUKS",
        0,
        b"LUKS\xba\xbe",
        None,
        Some(Id::Text(0xa8, 40)),
    ),
    magic(
        "LVM2_member",
        0x218,
        b"LVM2 001",
        None,
        Some(Id::Text(0x220, 32)),
    ),
    magic(
        "linux_raid_member",
        0x1000,
        b"\xfc\x4e\x2b\xa9",
        Some((0x1020, 32)),
        Some(Id::Uuid(0x1010)),
    ),
    magic("xfs", 0, b"XFSB", Some((108, 12)), Some(Id::Uuid(32))),
    magic(
        "btrfs",
        0x1_0040,
        b"_BHRfS_M",
        Some((0x1_012b, 256)),
        Some(Id::Uuid(0x1_0020)),
    ),
    magic(
        "erofs",
        0x400,
        b"\xe2\xe1\xf5\xe0",
        Some((0x440, 16)),
        Some(Id::Uuid(0x430)),
    ),
    magic("squashfs", 0, b"hsqs", None, None),
    magic("iso9660", 0x8001, b"CD001", Some((0x8028, 32)), None),
    magic(
        "swap",
        0xff6,
        b"SWAPSPACE2",
        Some((0x41c, 16)),
        Some(Id::Uuid(0x40c)),
    ),
    magic("ntfs", 3, b"NTFS    ", None, Some(Id::Serial64(0x48))),
    magic("exfat", 3, b"EXFAT   ", None, Some(Id::Serial32(0x64))),
    magic(
        "vfat",
        0x52,
        b"FAT32   ",
        Some((0x47, 11)),
        Some(Id::Serial32(0x43)),
    ),
    magic(
        "vfat",
        0x36,
        b"FAT16   ",
        Some((0x2b, 11)),
        Some(Id::Serial32(0x27)),
    ),
    magic(
        "vfat",
        0x36,
        b"FAT12   ",
        Some((0x2b, 11)),
        Some(Id::Serial32(0x27)),
    ),
];

/// What the first [`LEN`] bytes of a partition, or as many as it has, say that it holds.
pub(crate) fn recognise(bytes: &[u8]) -> Option<Held> {
    if bytes.get(0x438..0x43a) == Some(&[0x53, 0xef]) {
        let kind = ext_kind(bytes);
        return Some(Held {
            kind,
            label: text(bytes, 0x478, 16),
            uuid: id(bytes, Id::Uuid(0x468)),
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
        uuid: found.id.and_then(|place| id(bytes, place)),
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

/// `None` if it is cut off, or was never set.
fn id(bytes: &[u8], id: Id) -> Option<String> {
    let number = |at: usize| bytes.get(at..);
    match id {
        Id::Uuid(at) => {
            let uuid = Uuid::from_bytes(*number(at)?.first_chunk()?);
            (!uuid.is_nil()).then(|| uuid.to_string())
        }
        Id::Serial32(at) => {
            let serial = u32::from_le_bytes(*number(at)?.first_chunk()?);
            let (high, low) = (serial >> 16, serial & 0xffff);
            (serial != 0).then(|| format!("{high:04X}-{low:04X}"))
        }
        Id::Serial64(at) => {
            let serial = u64::from_le_bytes(*number(at)?.first_chunk()?);
            (serial != 0).then(|| format!("{serial:016X}"))
        }
        Id::Text(at, len) => Some(text(bytes, at, len)).filter(|text| !text.is_empty()),
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

#[cfg(test)]
mod tests;
