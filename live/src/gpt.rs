//! A GUID partition table as bytes: read with bounds, looked up by partition name, moved to a
//! larger disk and written back with everything else (numbers, attributes, names) left as it was.
//!
//! Not a partitioner: nothing is added, removed or renumbered. Spec: UEFI 2.10, section 5.3.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crc::{CRC_32_ISO_HDLC, Crc};
use uuid::Uuid;

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const HEADER_MIN: usize = 92;
/// 128 entries of 128 bytes are usual; this allows 64 times as much.
const ENTRIES_MAX: usize = 1024 * 1024;
/// Partitions begin and end at multiples of this, bytes.
const ALIGNMENT: u64 = 1024 * 1024;

/// Why a table could not be read or moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GptError {
    /// The device failed.
    #[error("cannot access partition table")]
    Io(#[from] io::Error),
    /// Neither header is there.
    #[error("no GUID partition table")]
    Absent,
    /// Headers are there, and both are damaged.
    #[error("GUID partition table is damaged: {0}")]
    Damaged(&'static str),
    /// The disk ends before the partitions do.
    #[error("disk of {disk} sectors is too small for its partitions, which need {needed}")]
    DiskTooSmall {
        /// Sectors of the disk.
        disk: u64,
        /// Sectors that the partitions and both tables need.
        needed: u64,
    },
}

/// One used entry.
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

/// A table in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    sector: u64,
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_size: usize,
}

impl Table {
    /// Reads the primary table of a device of `size` bytes, or the backup at the device's end when
    /// the primary is damaged.
    pub fn read(device: &mut (impl Read + Seek), sector: u32, size: u64) -> Result<Self, GptError> {
        let sector = u64::from(sector);
        let last = size
            .checked_div(sector)
            .and_then(|sectors| sectors.checked_sub(1));
        match Self::read_at(device, sector, 1) {
            Ok(table) => Ok(table),
            Err(first) => match last.map(|last| Self::read_at(device, sector, last)) {
                Some(Ok(mut table)) => {
                    table.put_u64(field::CURRENT, 1);
                    table.put_u64(field::ALTERNATE, last.unwrap_or_default());
                    table.put_u64(field::ENTRIES, 2);
                    Ok(table)
                }
                _ => Err(first),
            },
        }
    }

    fn read_at(device: &mut (impl Read + Seek), sector: u64, lba: u64) -> Result<Self, GptError> {
        let head = read_exact(device, lba, sector, to_usize(sector)?)?;
        if head.get(..8) != Some(b"EFI PART") {
            return Err(GptError::Absent);
        }
        let length = to_usize(u64::from(u32_at(&head, field::SIZE)))?;
        let mut header = match head.get(..length) {
            Some(header) if length >= HEADER_MIN => header.to_vec(),
            _ => return Err(GptError::Damaged("bad header size")),
        };
        let stored = u32_at(&header, field::CRC);
        put(&mut header, field::CRC, &[0; 4]);
        if CRC32.checksum(&header) != stored {
            return Err(GptError::Damaged("header checksum differs"));
        }
        if u64_at(&header, field::CURRENT) != lba {
            return Err(GptError::Damaged("header belongs to another sector"));
        }
        let entry_size = to_usize(u64::from(u32_at(&header, field::ENTRY_SIZE)))?;
        let count = to_usize(u64::from(u32_at(&header, field::ENTRY_COUNT)))?;
        let bytes = count
            .checked_mul(entry_size)
            .filter(|&bytes| bytes <= ENTRIES_MAX);
        let Some(bytes) = bytes.filter(|_| entry_size >= 128 && count > 0) else {
            return Err(GptError::Damaged("unusual size of the entry array"));
        };
        let entries = read_exact(device, u64_at(&header, field::ENTRIES), sector, bytes)?;
        if CRC32.checksum(&entries) != u32_at(&header, field::ENTRIES_CRC) {
            return Err(GptError::Damaged("checksum of the entries differs"));
        }
        Ok(Self {
            sector,
            header,
            entries,
            entry_size,
        })
    }

    /// The used entries in the order of their numbers. Entries that end before they begin are
    /// left out.
    pub fn partitions(&self) -> Vec<Partition> {
        (1u32..)
            .zip(self.entries.chunks(self.entry_size))
            .filter_map(|(n, e)| self.partition(n, e))
            .collect()
    }

    fn partition(&self, number: u32, entry: &[u8]) -> Option<Partition> {
        if entry.get(..16)?.iter().all(|&b| b == 0) {
            return None;
        }
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        let sectors = last.checked_sub(first)?.checked_add(1)?;
        let units: Vec<u16> = entry
            .get(56..128)?
            .chunks_exact(2)
            .map(|two| u16::from_le_bytes([two[0], two[1]]))
            .collect();
        let end = units
            .iter()
            .position(|&unit| unit == 0)
            .unwrap_or(units.len());
        Some(Partition {
            number,
            name: String::from_utf16_lossy(units.get(..end).unwrap_or_default()),
            start: first.checked_mul(self.sector)?,
            length: sectors.checked_mul(self.sector)?,
        })
    }

    /// The partition named `name`.
    pub fn find(&self, name: &str) -> Option<Partition> {
        self.partitions()
            .into_iter()
            .find(|partition| partition.name == name)
    }

    /// The disk's GUID.
    pub fn disk_guid(&self) -> Uuid {
        let bytes = self
            .header
            .get(field::GUID..field::GUID + 16)
            .and_then(|b| b.try_into().ok());
        Uuid::from_bytes_le(bytes.unwrap_or_default())
    }

    /// Replaces the disk's GUID.
    pub fn set_disk_guid(&mut self, guid: Uuid) {
        put(&mut self.header, field::GUID, &guid.to_bytes_le());
    }

    /// Makes the table describe a disk of `size` bytes: backup at its very end, everything between
    /// the tables usable. Returns whether anything changed.
    pub fn fit(&mut self, size: u64) -> Result<bool, GptError> {
        let sectors = size / self.sector;
        let needed = self
            .partitions()
            .iter()
            .map(|p| (p.start + p.length) / self.sector)
            .max()
            .unwrap_or(0)
            .saturating_add(self.entry_sectors() + 1);
        if needed > sectors {
            return Err(GptError::DiskTooSmall {
                disk: sectors,
                needed,
            });
        }
        let before = self.header.clone();
        self.put_u64(field::ALTERNATE, sectors - 1);
        self.put_u64(field::LAST_USABLE, sectors - 2 - self.entry_sectors());
        Ok(self.header != before)
    }

    /// Lets partition `number` reach to the last aligned usable sector, when nothing lies behind
    /// it. `None` when it cannot or need not grow.
    pub fn grow(&mut self, number: u32) -> Option<Partition> {
        let partitions = self.partitions();
        let old = partitions.iter().find(|p| p.number == number)?.clone();
        if partitions.iter().any(|p| p.start > old.start) {
            return None;
        }
        let usable = u64_at(&self.header, field::LAST_USABLE)
            .checked_add(1)?
            .checked_mul(self.sector)?;
        let end = usable / ALIGNMENT * ALIGNMENT;
        if end <= old.start + old.length {
            return None;
        }
        let at = to_usize(u64::from(number - 1))
            .ok()?
            .checked_mul(self.entry_size)?;
        put(
            &mut self.entries,
            at.checked_add(40)?,
            &(end / self.sector - 1).to_le_bytes(),
        );
        let crc = CRC32.checksum(&self.entries);
        put(&mut self.header, field::ENTRIES_CRC, &crc.to_le_bytes());
        Some(Partition {
            length: end - old.start,
            ..old
        })
    }

    /// Writes the backup table at the end of the disk that the table was fitted to. Write and
    /// flush it before the primary, so that one of the two is whole at every instant.
    pub fn write_backup(&self, device: &mut (impl Write + Seek)) -> io::Result<()> {
        let end = u64_at(&self.header, field::ALTERNATE);
        let array = end
            .checked_sub(self.entry_sectors())
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut backup = self.clone();
        backup.put_u64(field::CURRENT, end);
        backup.put_u64(field::ALTERNATE, u64_at(&self.header, field::CURRENT));
        backup.put_u64(field::ENTRIES, array);
        backup.write(device)
    }

    /// Writes the primary table and, if the disk has a protective MBR, its size.
    pub fn write_primary(&self, device: &mut (impl Read + Write + Seek)) -> io::Result<()> {
        self.write(device)?;
        let mut mbr = [0u8; 512];
        device.rewind()?;
        device.read_exact(&mut mbr)?;
        if mbr[450] == 0xEE && mbr[510..] == [0x55, 0xAA] {
            let last = u32::try_from(u64_at(&self.header, field::ALTERNATE)).unwrap_or(u32::MAX);
            put(&mut mbr, 458, &last.to_le_bytes());
            device.rewind()?;
            device.write_all(&mbr)?;
        }
        Ok(())
    }

    fn write(&self, device: &mut (impl Write + Seek)) -> io::Result<()> {
        device.seek(SeekFrom::Start(
            u64_at(&self.header, field::ENTRIES) * self.sector,
        ))?;
        device.write_all(&self.entries)?;
        let mut header = self.header.clone();
        put(&mut header, field::CRC, &[0; 4]);
        let crc = CRC32.checksum(&header);
        put(&mut header, field::CRC, &crc.to_le_bytes());
        device.seek(SeekFrom::Start(
            u64_at(&header, field::CURRENT) * self.sector,
        ))?;
        device.write_all(&header)
    }

    fn entry_sectors(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(self.sector)
    }

    fn put_u64(&mut self, at: usize, value: u64) {
        put(&mut self.header, at, &value.to_le_bytes());
    }
}

/// Offsets in the header.
mod field {
    pub(super) const SIZE: usize = 12;
    pub(super) const CRC: usize = 16;
    pub(super) const CURRENT: usize = 24;
    pub(super) const ALTERNATE: usize = 32;
    pub(super) const LAST_USABLE: usize = 48;
    pub(super) const GUID: usize = 56;
    pub(super) const ENTRIES: usize = 72;
    pub(super) const ENTRY_COUNT: usize = 80;
    pub(super) const ENTRY_SIZE: usize = 84;
    pub(super) const ENTRIES_CRC: usize = 88;
}

fn read_exact(
    device: &mut (impl Read + Seek),
    lba: u64,
    sector: u64,
    length: usize,
) -> Result<Vec<u8>, GptError> {
    let at = lba
        .checked_mul(sector)
        .ok_or(GptError::Damaged("a table lies beyond any disk"))?;
    let mut out = vec![0u8; length];
    device.seek(SeekFrom::Start(at))?;
    match device.read_exact(&mut out) {
        Ok(()) => Ok(out),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(GptError::Absent),
        Err(error) => Err(error.into()),
    }
}

fn to_usize(value: u64) -> Result<usize, GptError> {
    usize::try_from(value).map_err(|_| GptError::Damaged("a size does not fit this machine"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

fn put(bytes: &mut [u8], at: usize, data: &[u8]) {
    if let Some(target) = bytes.get_mut(at..at + data.len()) {
        target.copy_from_slice(data);
    }
}

#[cfg(test)]
mod tests;
