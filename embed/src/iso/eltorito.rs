//! The boot catalogue of an image (El Torito 1.0; UEFI 2.10 section 13.3.2.1): what firmware finds
//! that starts from a CD.
//!
//! One sector of it is read, which has room for more entries than any firmware offers.

use std::io::{Read, Seek};

use serde::Serialize;

use super::reader::{SECTOR, u32_at};
use super::{Extent, IsoError, IsoReader};

/// The boot record is the second volume descriptor.
const BOOT_RECORD: u64 = 17;
const SYSTEM: &[u8] = b"EL TORITO SPECIFICATION";
/// Where the boot record has the catalogue's sector.
const CATALOG_AT: usize = 0x47;
const ENTRY: usize = 32;
const BOOTABLE: u8 = 0x88;
const SECTION: [u8; 2] = [0x90, 0x91];

/// Firmware that an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// A PC's BIOS.
    Bios,
    /// UEFI.
    Uefi,
    /// Another one, by its number.
    Other(u8),
}

impl Platform {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Bios,
            0xef => Self::Uefi,
            other => Self::Other(other),
        }
    }
}

/// One thing that can be started from CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BootEntry {
    /// Firmware that may start it.
    pub platform: Platform,
    /// Whether it is marked as bootable.
    pub bootable: bool,
    /// Where it begins, bytes from the image's start.
    pub offset: u64,
    /// Bytes that the firmware loads; 0 when the entry leaves it open.
    pub load: u64,
}

impl<F: Read + Seek> IsoReader<F> {
    /// The entries of the boot catalogue in order; none for an image that does not boot from CD.
    pub fn boot_entries(&mut self) -> Result<Vec<BootEntry>, IsoError> {
        let record = self.read_extent(sector(BOOT_RECORD))?;
        let is_boot_record = record.first() == Some(&0)
            && record.get(1..6) == Some(b"CD001".as_slice())
            && record.get(7..).is_some_and(|id| id.starts_with(SYSTEM));
        if !is_boot_record {
            return Ok(Vec::new());
        }
        let bad = || IsoError::Format("the boot catalogue is broken");
        let place = u32_at(&record, CATALOG_AT).ok_or_else(bad)?;
        let catalog = self.read_extent(sector(u64::from(place)))?;
        entries(&catalog).ok_or_else(bad)
    }
}

fn sector(number: u64) -> Extent {
    Extent {
        offset: number * SECTOR,
        length: SECTOR,
    }
}

/// A validation entry, the default entry, then sections of a header and their entries each.
fn entries(catalog: &[u8]) -> Option<Vec<BootEntry>> {
    let mut records = catalog.chunks_exact(ENTRY);
    let platform = validation(records.next()?)?;
    let mut found = vec![boot_entry(records.next()?, platform)?];
    while let Some(header) = records.next().filter(|record| is_section(record)) {
        let platform = Platform::of(*header.get(1)?);
        for _ in 0..u16_at(header, 2)? {
            found.push(boot_entry(records.next()?, platform)?);
        }
    }
    Some(found)
}

fn validation(record: &[u8]) -> Option<Platform> {
    let sum = record
        .chunks_exact(2)
        .try_fold(0u16, |sum, pair| Some(sum.wrapping_add(u16_at(pair, 0)?)))?;
    let good = record.first() == Some(&1) && record.ends_with(&[0x55, 0xaa]) && sum == 0;
    good.then_some(Platform::of(*record.get(1)?))
}

fn is_section(record: &[u8]) -> bool {
    record.first().is_some_and(|kind| SECTION.contains(kind))
}

fn boot_entry(record: &[u8], platform: Platform) -> Option<BootEntry> {
    Some(BootEntry {
        platform,
        bootable: record.first() == Some(&BOOTABLE),
        offset: u64::from(u32_at(record, 8)?) * SECTOR,
        load: u64::from(u16_at(record, 6)?) * 512,
    })
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(records: &[[u8; ENTRY]]) -> Vec<u8> {
        let mut out = records.concat();
        out.resize(2048, 0);
        out
    }

    fn validated(platform: u8) -> [u8; ENTRY] {
        let mut out = [0u8; ENTRY];
        out[..2].copy_from_slice(&[1, platform]);
        out[30..].copy_from_slice(&[0x55, 0xaa]);
        let sum = out.chunks(2).fold(0u16, |sum, pair| {
            sum.wrapping_add(u16::from_le_bytes([pair[0], pair[1]]))
        });
        out[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
        out
    }

    fn entry(bootable: u8, load: u16, lba: u32) -> [u8; ENTRY] {
        let mut out = [0u8; ENTRY];
        out[0] = bootable;
        out[6..8].copy_from_slice(&load.to_le_bytes());
        out[8..12].copy_from_slice(&lba.to_le_bytes());
        out
    }

    fn section(kind: u8, platform: u8, count: u8) -> [u8; ENTRY] {
        let mut out = [0u8; ENTRY];
        out[..3].copy_from_slice(&[kind, platform, count]);
        out
    }

    #[test]
    fn default_entry_and_sections_are_told_apart_by_platform() {
        let bytes = catalog(&[
            validated(0),
            entry(0x88, 4, 30),
            section(0x91, 0xef, 1),
            entry(0, 0, 512),
        ]);
        let want = [
            (Platform::Bios, true, 30 * 2048, 2048),
            (Platform::Uefi, false, 512 * 2048, 0),
        ]
        .map(|(platform, bootable, offset, load)| BootEntry {
            platform,
            bootable,
            offset,
            load,
        });
        assert_eq!(entries(&bytes), Some(want.to_vec()));
    }

    #[test]
    fn broken_catalogues_are_none() {
        let mut flipped = validated(0);
        flipped[4] ^= 1;
        for (what, bytes) in [
            ("checksum", catalog(&[flipped, entry(0x88, 4, 30)])),
            ("empty", Vec::new()),
            ("no default entry", validated(0).to_vec()),
            (
                "more entries than there are",
                catalog(&[validated(0), entry(0x88, 4, 30), section(0x91, 0xef, 200)]),
            ),
        ] {
            assert_eq!(entries(&bytes), None, "{what}");
        }
    }
}
