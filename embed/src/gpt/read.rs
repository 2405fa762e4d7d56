//! Reads a table from a disk: the primary copy, or the backup where the primary is damaged.

use std::io;

use super::{GptError, Header, SectorSize, Table};

/// Why no table could be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The disk failed.
    #[error("cannot read the partition table")]
    Io(#[source] io::Error),
    /// Neither copy is good; what is wrong with each.
    #[error("{primary}")]
    Gpt {
        /// What is wrong with the copy at the disk's start.
        primary: GptError,
        /// What is wrong with the copy at the disk's end.
        backup: GptError,
    },
}

impl Table {
    /// Reads the table of a disk of `size` bytes through `read_at`, which fills a buffer of whole
    /// sectors from an offset, in bytes, that is a multiple of the sector size.
    pub fn read(
        mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
        sector: SectorSize,
        size: u64,
    ) -> Result<Self, TableError> {
        let sectors = size / u64::from(sector.bytes());
        let mut copy = |lba| read_copy(&mut read_at, lba, sector, sectors).map_err(TableError::Io);
        let primary = match copy(1)? {
            Ok(table) => return Ok(table),
            Err(error) => error,
        };
        match copy(sectors.saturating_sub(1))? {
            Ok(table) => Ok(table),
            Err(backup) => Err(TableError::Gpt { primary, backup }),
        }
    }
}

fn read_copy(
    read_at: &mut impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    lba: u64,
    sector: SectorSize,
    sectors: u64,
) -> io::Result<Result<Table, GptError>> {
    let bytes = u64::from(sector.bytes());
    if lba == 0 || lba >= sectors {
        return Ok(Err(GptError::NoSignature));
    }
    let mut head = vec![0u8; sector.bytes() as usize];
    read_at(lba.saturating_mul(bytes), &mut head)?;
    let header = match Header::parse(&head, lba, sector) {
        Ok(header) => header,
        Err(error) => return Ok(Err(error)),
    };
    let mut array = vec![0u8; header.array_len.next_multiple_of(sector.bytes() as usize)];
    let end = header.array_offset.saturating_add(array.len() as u64);
    if end > sectors.saturating_mul(bytes) {
        return Ok(Err(GptError::Entries));
    }
    read_at(header.array_offset, &mut array)?;
    array.truncate(header.array_len);
    Ok(header.with_entries(&array))
}
