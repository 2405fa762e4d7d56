//! GUID partition tables as bytes (UEFI 2.10 section 5.3): parsed with every size checked, entry
//! numbers, names and attributes kept bit for bit, rendered only after they were checked.
//!
//! Both copies are read by [`Table::read`]; what else may be at the start of a disk (an MBR,
//! nothing) is its caller's business, and so is the order in which the two copies are written.

mod fit;
mod read;
mod render;

use std::collections::BTreeMap;
use std::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};

pub use read::TableError;
pub use render::{Rendered, protective_mbr};

const SIGNATURE: &[u8; 8] = b"EFI PART";
const HEADER_LEN: usize = 92;
/// Size of an entry as written, bytes; larger ones are read.
const ENTRY_LEN: usize = 128;
/// The largest array of entries that is read, bytes.
const MAX_ARRAY: u64 = 1024 * 1024;

/// Partitions begin at multiples of this, bytes, and the first of them leaves so much room for
/// MBR, table and boot code.
pub const ALIGNMENT: u64 = 1024 * 1024;

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Size of a logical sector, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectorSize {
    /// 512
    B512,
    /// 4096
    B4096,
}

impl SectorSize {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }

    /// The size that has so many bytes.
    pub fn from_bytes(bytes: u32) -> Option<Self> {
        match bytes {
            512 => Some(Self::B512),
            4096 => Some(Self::B4096),
            _ => None,
        }
    }
}

impl fmt::Display for SectorSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes())
    }
}

/// Why bytes are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GptError {
    /// There is no table here.
    #[error("there is no GPT signature")]
    NoSignature,
    /// The header is damaged.
    #[error("the GPT header is damaged")]
    Header,
    /// The array of entries is damaged.
    #[error("the GPT entries are damaged")]
    Entries,
    /// A header field holds a value that cannot be.
    #[error("the GPT header field {field} has the impossible value {value}")]
    Field {
        /// Name in the specification.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// Two partitions have the same unique GUID.
    #[error("partitions {first} and {second} have the same GUID")]
    DuplicateGuid {
        /// Number of one.
        first: u32,
        /// Number of the other.
        second: u32,
    },
    /// Two partitions share sectors.
    #[error("partitions {first} and {second} overlap")]
    Overlap {
        /// Number of one.
        first: u32,
        /// Number of the other.
        second: u32,
    },
    /// A partition that lies where the table itself or nothing may be.
    #[error("partition {number} lies outside the usable part of the disk")]
    Outside {
        /// Its number.
        number: u32,
    },
    /// The disk ends before its partitions do.
    #[error("disk of {disk} sectors is too small for its partitions, which need {needed}")]
    DiskTooSmall {
        /// Sectors of the disk.
        disk: u64,
        /// Sectors that the partitions and both copies of the table need.
        needed: u64,
    },
    /// The disk is too small for a table.
    #[error("a disk of {sectors} sectors has no room for a partition table")]
    TooSmall {
        /// Its size.
        sectors: u64,
    },
}

/// A used entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// GUID of the partition's type, as on the disk.
    pub kind: [u8; 16],
    /// GUID of the partition, as on the disk.
    pub guid: [u8; 16],
    /// First sector.
    pub first: u64,
    /// Last sector, inclusive.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// UTF-16LE, NUL-padded, as it is on the disk.
    pub name: [u8; 72],
}

impl Entry {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let kind = array(bytes, 0)?;
        if kind == [0; 16] {
            return None;
        }
        Some(Self {
            kind,
            guid: array(bytes, 16)?,
            first: u64::from_le_bytes(array(bytes, 32)?),
            last: u64::from_le_bytes(array(bytes, 40)?),
            attributes: u64::from_le_bytes(array(bytes, 48)?),
            name: array(bytes, 56)?,
        })
    }

    /// The partition's name (not its file system's label).
    pub fn name(&self) -> String {
        let units = self.name.chunks_exact(2).map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        });
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    }
}

/// A table's header fields that matter, and its used entries by number (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The sector size that the table is made for.
    pub sector: SectorSize,
    /// The disk's GUID, as on the disk.
    pub disk_guid: [u8; 16],
    /// The last sector of the disk that the table was made for: where its backup's header is.
    pub last: u64,
    /// Room for so many entries.
    pub slots: u32,
    /// The used entries by number.
    pub entries: BTreeMap<u32, Entry>,
}

/// A header and where its array of entries is.
struct Header {
    array_offset: u64,
    array_len: usize,
    entry_len: usize,
    array_crc: u32,
    table: Table,
}

impl Header {
    /// Reads the header that lies in `bytes`, sector number `lba` of its disk.
    fn parse(bytes: &[u8], lba: u64, sector: SectorSize) -> Result<Self, GptError> {
        if !bytes.starts_with(SIGNATURE) {
            return Err(GptError::NoSignature);
        }
        let len = le32(bytes, 12)? as usize;
        let mut covered = bytes
            .get(..len)
            .filter(|_| len >= HEADER_LEN)
            .ok_or(GptError::Header)?
            .to_vec();
        covered.get_mut(16..20).ok_or(GptError::Header)?.fill(0);
        if CRC32.checksum(&covered) != le32(bytes, 16)? || le64(bytes, 24)? != lba {
            return Err(GptError::Header);
        }
        let field = |field, value| GptError::Field { field, value };
        let (slots, entry_len) = (le32(bytes, 80)?, le32(bytes, 84)?);
        if entry_len < 128 || !entry_len.is_power_of_two() {
            return Err(field("SizeOfPartitionEntry", entry_len.into()));
        }
        let array_len = u64::from(slots) * u64::from(entry_len);
        let start = le64(bytes, 72)?;
        let array_offset = start
            .checked_mul(sector.bytes().into())
            .filter(|offset| offset.checked_add(array_len).is_some())
            .ok_or(field("PartitionEntryLBA", start))?;
        Ok(Self {
            array_offset,
            array_len: usize::try_from(array_len)
                .ok()
                .filter(|_| array_len <= MAX_ARRAY)
                .ok_or(field("NumberOfPartitionEntries", slots.into()))?,
            entry_len: usize::try_from(entry_len).map_err(|_| GptError::Header)?,
            array_crc: le32(bytes, 88)?,
            table: Table {
                sector,
                disk_guid: array(bytes, 56).ok_or(GptError::Header)?,
                last: le64(bytes, 32)?.max(lba),
                slots,
                entries: BTreeMap::new(),
            },
        })
    }

    /// The whole table, given its array of entries.
    fn with_entries(mut self, array: &[u8]) -> Result<Table, GptError> {
        if array.len() != self.array_len || CRC32.checksum(array) != self.array_crc {
            return Err(GptError::Entries);
        }
        for (number, bytes) in (1u32..).zip(array.chunks_exact(self.entry_len)) {
            if let Some(entry) = Entry::parse(bytes) {
                if entry.first > entry.last {
                    return Err(GptError::Outside { number });
                }
                self.table.entries.insert(number, entry);
            }
        }
        Ok(self.table)
    }
}

/// Where a partition lies, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number, from 1.
    pub number: u32,
    /// Name.
    pub name: String,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
}

impl Table {
    /// The partitions in the order of their numbers, without those that lie beyond any disk.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> {
        let sector = u64::from(self.sector.bytes());
        self.entries.iter().filter_map(move |(&number, entry)| {
            let sectors = entry.last.checked_sub(entry.first)?.checked_add(1)?;
            Some(Partition {
                number,
                name: entry.name(),
                start: entry.first.checked_mul(sector)?,
                length: sectors.checked_mul(sector)?,
            })
        })
    }

    /// Reads a table out of the first bytes of an image.
    pub fn of_image(head: &[u8], sector: SectorSize) -> Result<Self, GptError> {
        let at = sector.bytes() as usize;
        let header = head.get(at..at + at).ok_or(GptError::NoSignature)?;
        let header = Header::parse(header, 1, sector)?;
        let start = usize::try_from(header.array_offset).map_err(|_| GptError::Entries)?;
        let array = head
            .get(start..)
            .and_then(|rest| rest.get(..header.array_len));
        let array = array.ok_or(GptError::Entries)?;
        header.with_entries(array)
    }
}

/// The sector size that an image's table is made for, by where its signature is.
pub fn sector_size_of_image(head: &[u8]) -> Option<SectorSize> {
    [SectorSize::B512, SectorSize::B4096]
        .into_iter()
        .find(|sector| {
            head.get(sector.bytes() as usize..)
                .is_some_and(|rest| rest.starts_with(SIGNATURE))
        })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn le32(bytes: &[u8], at: usize) -> Result<u32, GptError> {
    array(bytes, at)
        .map(u32::from_le_bytes)
        .ok_or(GptError::Header)
}

fn le64(bytes: &[u8], at: usize) -> Result<u64, GptError> {
    array(bytes, at)
        .map(u64::from_le_bytes)
        .ok_or(GptError::Header)
}

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod tests;
