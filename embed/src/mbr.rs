//! MBR partition tables, read to show what is on a disk: the four records of the first sector, and
//! the chain of extended boot records behind one of them. Nothing is written, and no disk with
//! partitions of this kind is ever installed to in a way that keeps them.
//!
//! Layout: UEFI 2.10 section 5.2.1; extended boot records as every PC system has read them since.

use std::io;

use crate::gpt::SectorSize;

/// More logical partitions than a disk of people has; a chain that goes on is not followed.
const MAX_LOGICAL: u32 = 128;

/// Types of records that hold further records.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MbrPartition {
    /// Number, as Linux counts: 1 to 4 by record, from 5 on by chain.
    pub number: u32,
    /// Type.
    pub kind: u8,
    /// Whether its boot code is started.
    pub active: bool,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

impl MbrPartition {
    /// Whether it holds nothing but further partitions.
    pub fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }
}

/// Reads the partitions of a disk of `size` bytes through `read_at`, which fills a buffer of a
/// whole sector from an offset, in bytes, that is a multiple of the sector size. A disk without
/// boot signature has none.
pub fn read(
    mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    sector: SectorSize,
    size: u64,
) -> io::Result<Vec<MbrPartition>> {
    let mut reader = Reader {
        read_at: &mut read_at,
        sector: sector.bytes(),
        size,
    };
    let records = reader.records(0)?;
    let mut found: Vec<MbrPartition> = (1..)
        .zip(&records)
        .filter_map(|(number, record)| record.partition(number, 0, sector))
        .collect();
    let extended: Vec<MbrPartition> = found.iter().copied().filter(|p| p.is_extended()).collect();
    let mut number = 5;
    for one in extended {
        reader.chain(one, sector, &mut number, &mut found)?;
    }
    Ok(found)
}

/// One of the four entries of a boot record, places in sectors.
#[derive(Clone, Copy)]
struct Record {
    status: u8,
    kind: u8,
    start: u32,
    count: u32,
}

impl Record {
    fn parse(bytes: &[u8; 16]) -> Self {
        let [status, _, _, _, kind, _, _, _, a, b, c, d, e, f, g, h] = *bytes;
        Self {
            status,
            kind,
            start: u32::from_le_bytes([a, b, c, d]),
            count: u32::from_le_bytes([e, f, g, h]),
        }
    }

    /// `None` if it is not used. Its start counts from the byte `base`.
    fn partition(&self, number: u32, base: u64, sector: SectorSize) -> Option<MbrPartition> {
        if self.kind == 0 || self.count == 0 {
            return None;
        }
        let bytes = u64::from(sector.bytes());
        Some(MbrPartition {
            number,
            kind: self.kind,
            active: self.status == 0x80,
            start: base.checked_add(u64::from(self.start).checked_mul(bytes)?)?,
            length: u64::from(self.count).checked_mul(bytes)?,
        })
    }
}

struct Reader<'r> {
    read_at: &'r mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    sector: u32,
    size: u64,
}

impl Reader<'_> {
    /// The records of the sector at byte `at`; none if that is no boot record.
    fn records(&mut self, at: u64) -> io::Result<Vec<Record>> {
        let end = at.checked_add(self.sector.into());
        if end.is_none_or(|end| end > self.size) {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0u8; self.sector as usize];
        (self.read_at)(at, &mut bytes)?;
        if bytes.get(510..512) != Some(&[0x55, 0xaa]) {
            return Ok(Vec::new());
        }
        let (records, _) = bytes.get(446..510).unwrap_or_default().as_chunks();
        Ok(records.iter().map(Record::parse).collect())
    }

    /// Logical partitions: each boot record of the chain has its partition first, counted from
    /// itself, and then the next boot record, counted from the start of the chain.
    fn chain(
        &mut self,
        extended: MbrPartition,
        sector: SectorSize,
        number: &mut u32,
        found: &mut Vec<MbrPartition>,
    ) -> io::Result<()> {
        let end = extended.start.saturating_add(extended.length);
        let mut at = extended.start;
        for _ in 0..MAX_LOGICAL {
            let records = self.records(at)?;
            let mut records = records.iter();
            let logical = records
                .next()
                .and_then(|r| r.partition(*number, at, sector));
            if let Some(logical) = logical.filter(|logical| !logical.is_extended()) {
                found.push(logical);
                *number = number.saturating_add(1);
            }
            let next = records
                .next()
                .and_then(|r| r.partition(0, extended.start, sector))
                .filter(MbrPartition::is_extended);
            match next {
                // A chain leads onward; one that turns back has no end.
                Some(next) if next.start > at && next.start < end => at = next.start,
                _ => break,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: &mut [u8], at: usize, slot: usize, (kind, start, count): (u8, u32, u32)) {
        let place = at * 512 + 446 + slot * 16;
        bytes[place + 4] = kind;
        bytes[place + 8..place + 12].copy_from_slice(&start.to_le_bytes());
        bytes[place + 12..place + 16].copy_from_slice(&count.to_le_bytes());
        bytes[at * 512 + 510..at * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
    }

    fn partitions(bytes: &[u8]) -> Vec<(u32, u8, u64, u64)> {
        let read_at = |offset: u64, buf: &mut [u8]| {
            let start = usize::try_from(offset).unwrap();
            buf.copy_from_slice(&bytes[start..start + buf.len()]);
            Ok(())
        };
        let found = read(read_at, SectorSize::B512, bytes.len() as u64).unwrap();
        let sectors = |p: &MbrPartition| (p.number, p.kind, p.start / 512, p.length / 512);
        found.iter().map(sectors).collect()
    }

    /// Two primary partitions, one of them beyond the end, and two logical ones.
    fn disk() -> Vec<u8> {
        let mut bytes = vec![0u8; 100 * 512];
        record(&mut bytes, 0, 0, (0x83, 2, 8));
        record(&mut bytes, 0, 1, (0x0f, 20, 60));
        record(&mut bytes, 0, 3, (0x07, 90, 4_000_000_000));
        bytes[446] = 0x80;
        record(&mut bytes, 20, 0, (0x82, 1, 9));
        record(&mut bytes, 20, 1, (0x05, 20, 10));
        record(&mut bytes, 40, 0, (0x8e, 2, 7));
        bytes
    }

    #[test]
    fn primary_and_logical_partitions_are_numbered_as_linux_does() {
        assert_eq!(
            partitions(&disk()),
            [
                (1, 0x83, 2, 8),
                (2, 0x0f, 20, 60),
                (4, 0x07, 90, 4_000_000_000),
                (5, 0x82, 21, 9),
                (6, 0x8e, 42, 7),
            ]
        );
    }

    #[test]
    fn a_chain_that_turns_back_or_leads_out_ends_there() {
        for next in [0u32, 1, 60, 79, u32::MAX] {
            let mut bytes = disk();
            record(&mut bytes, 40, 1, (0x05, next, 10));
            assert_eq!(partitions(&bytes).len(), 5, "{next}");
        }
    }

    #[test]
    fn without_a_boot_signature_or_a_sector_there_is_nothing() {
        let mut bytes = disk();
        bytes[510] = 0;
        assert_eq!(partitions(&bytes), []);
        assert_eq!(partitions(&[]), []);
        assert_eq!(partitions(&disk()[..511]), []);
    }
}
