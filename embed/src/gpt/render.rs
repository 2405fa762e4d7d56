//! Tables to bytes: both copies of a GPT, and the MBR that protects it. Nothing is rendered that
//! was not checked.

use std::collections::{BTreeMap, BTreeSet};

use super::{ALIGNMENT, CRC32, ENTRY_LEN, Entry, GptError, SIGNATURE, Table};

/// The smallest number of entries that a table must have room for: 16 KiB of them.
const MIN_SLOTS: u32 = 128;

/// The bytes of both copies of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// From sector 1 on: header and entries.
    pub primary: Vec<u8>,
    /// Entries and header, up to the end of the disk.
    pub backup: Vec<u8>,
    /// Where the backup begins, bytes.
    pub backup_offset: u64,
}

impl Entry {
    fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENTRY_LEN);
        out.extend_from_slice(&self.kind);
        out.extend_from_slice(&self.guid);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.extend_from_slice(&self.attributes.to_le_bytes());
        out.extend_from_slice(&self.name);
        out
    }
}

impl Table {
    /// How many entries are written: as many as before, and room for the highest number.
    fn room(&self) -> u32 {
        let highest = self.entries.keys().next_back().copied().unwrap_or(0);
        self.slots.max(highest).max(MIN_SLOTS)
    }

    pub(super) fn array_sectors(&self) -> u64 {
        let len = u64::from(self.room()) * ENTRY_LEN as u64;
        len.div_ceil(self.sector.bytes().into())
    }

    /// First and last sector that partitions may use on a disk of `sectors` sectors.
    pub fn usable(&self, sectors: u64) -> Result<(u64, u64), GptError> {
        let first = 2 + self.array_sectors();
        if first * u64::from(self.sector.bytes()) > ALIGNMENT {
            return Err(GptError::Field {
                field: "NumberOfPartitionEntries",
                value: self.slots.into(),
            });
        }
        match sectors.checked_sub(2 + self.array_sectors()) {
            Some(last) if last > first => Ok((first, last)),
            _ => Err(GptError::TooSmall { sectors }),
        }
    }

    /// Refuses what must not be written: duplicate GUIDs, overlaps, partitions out of bounds.
    pub fn check(&self, sectors: u64) -> Result<(), GptError> {
        let (first, last) = self.usable(sectors)?;
        let mut guids = BTreeMap::new();
        let mut starts = BTreeMap::new();
        for (&number, entry) in &self.entries {
            if entry.first < first || entry.last > last {
                return Err(GptError::Outside { number });
            }
            if let Some(first) = guids.insert(entry.guid, number) {
                return Err(GptError::DuplicateGuid {
                    first,
                    second: number,
                });
            }
            if let Some((first, _)) = starts.insert(entry.first, (number, entry.last)) {
                return Err(GptError::Overlap {
                    first,
                    second: number,
                });
            }
        }
        let spans: BTreeSet<_> = starts.iter().map(|(s, (n, e))| (*s, *e, *n)).collect();
        for (a, b) in spans.iter().zip(spans.iter().skip(1)) {
            if a.1 >= b.0 {
                return Err(GptError::Overlap {
                    first: a.2,
                    second: b.2,
                });
            }
        }
        Ok(())
    }

    /// Both copies for a disk of `sectors` sectors, checked before.
    pub fn render(&self, sectors: u64) -> Result<Rendered, GptError> {
        self.check(sectors)?;
        let sector = self.sector.bytes() as usize;
        let array_sectors = self.array_sectors();
        let slots = self.room();
        let mut array = Vec::new();
        for number in 1..=slots {
            let entry = self
                .entries
                .get(&number)
                .map_or(vec![0; ENTRY_LEN], Entry::render);
            array.extend_from_slice(&entry);
        }
        let crc = CRC32.checksum(&array);
        array.resize(array.len().next_multiple_of(sector), 0);
        let backup_array = sectors - 1 - array_sectors;
        let mut primary = self.header(1, sectors - 1, 2, crc, sectors)?;
        primary.extend_from_slice(&array);
        let mut backup = array;
        backup.extend_from_slice(&self.header(sectors - 1, 1, backup_array, crc, sectors)?);
        Ok(Rendered {
            primary,
            backup,
            backup_offset: backup_array * sector as u64,
        })
    }

    fn header(
        &self,
        own: u64,
        other: u64,
        array: u64,
        crc: u32,
        sectors: u64,
    ) -> Result<Vec<u8>, GptError> {
        let (first, last) = self.usable(sectors)?;
        let mut out = Vec::with_capacity(self.sector.bytes() as usize);
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&0x0001_0000u32.to_le_bytes());
        out.extend_from_slice(&92u32.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        for value in [own, other, first, last] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&self.disk_guid);
        out.extend_from_slice(&array.to_le_bytes());
        out.extend_from_slice(&self.room().to_le_bytes());
        out.extend_from_slice(&128u32.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        let checksum = CRC32.checksum(&out).to_le_bytes();
        if let Some(field) = out.get_mut(16..20) {
            field.copy_from_slice(&checksum);
        }
        out.resize(self.sector.bytes() as usize, 0);
        Ok(out)
    }
}

/// An MBR that marks a disk of `sectors` sectors as GPT (UEFI 2.10 section 5.2.3), with `code`
/// as its first 440 bytes.
pub fn protective_mbr(code: &[u8; 440], sectors: u64) -> [u8; 512] {
    let mut mbr = [0u8; 512];
    let size = u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    let mut record = [
        0, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0,
    ];
    record[12..].copy_from_slice(&size.to_le_bytes());
    mbr[..440].copy_from_slice(code);
    mbr[446..462].copy_from_slice(&record);
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    mbr
}
