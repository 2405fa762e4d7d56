//! Partition tables of files and devices that are open; the table itself is `embed::gpt`'s.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use embed::gpt::{SectorSize, Table, TableError};

/// Reads the table of `disk`, which has `size` bytes and sectors of `sector` bytes.
pub(crate) fn read(disk: &File, sector: u32, size: u64) -> Result<Table, TableError> {
    let sector = SectorSize::from_bytes(sector).ok_or_else(|| {
        let reason = format!("sectors of {sector} bytes; 512 and 4096 are known");
        TableError::Io(io::Error::new(io::ErrorKind::Unsupported, reason))
    })?;
    Table::read(
        |offset, buffer| disk.read_exact_at(buffer, offset),
        sector,
        size,
    )
}
