//! What is on a disk, without mounting or writing anything: its partitions, and what their first
//! bytes say that they hold. Looked at before people choose a disk to erase.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use embed::mbr::MbrPartition;
use serde::Serialize;

use super::superblock::{Held, LEN, recognise};
use super::table::{self, Label};
use super::{Disk, SectorSize};

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

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartitionContent {
    /// Number, from 1.
    pub number: u32,
    /// Name in the partition table; empty in an MBR, which has none.
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
    /// Partitions of a GPT or an MBR.
    pub partitions: Vec<PartitionContent>,
    /// What the disk holds as a whole.
    pub holds: Option<Held>,
}

/// Looks at `disk`.
pub(crate) fn look(disk: &dyn Disk) -> io::Result<Content> {
    let label = table::read(disk)?;
    let (kind, partitions) = match &label {
        Label::Gpt(table) => {
            let content = |p: embed::gpt::Partition| PartitionContent {
                holds: held_by(disk, p.start, p.length),
                number: p.number,
                label: p.name,
                size: p.length,
            };
            (TableKind::Gpt, table.partitions().map(content).collect())
        }
        Label::Mbr(partitions) => {
            let content = |p: &MbrPartition| PartitionContent {
                holds: held_by_mbr(disk, p),
                number: p.number,
                label: String::new(),
                size: p.length,
            };
            (TableKind::Mbr, partitions.iter().map(content).collect())
        }
        Label::Damaged(_) => (TableKind::Damaged, Vec::new()),
        Label::None => (TableKind::None, Vec::new()),
    };
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

/// What a partition holds. An entry that points beyond the disk holds nothing that can be read.
pub(crate) fn held_by(disk: &dyn Disk, start: u64, len: u64) -> Option<Held> {
    held(disk, start, len).unwrap_or_default()
}

/// The same for an MBR, whose extended partitions hold partitions.
pub(crate) fn held_by_mbr(disk: &dyn Disk, partition: &MbrPartition) -> Option<Held> {
    match partition.is_extended() {
        true => None,
        false => held_by(disk, partition.start, partition.length),
    }
}

/// What lies at `start` of `disk`, looking at no more than `len` bytes.
fn held(disk: &dyn Disk, start: u64, len: u64) -> io::Result<Option<Held>> {
    let len = len.min(disk.len().saturating_sub(start));
    let mut bytes = vec![0u8; usize::try_from(len).map_or(LEN, |len| len.min(LEN))];
    disk.read_at(start, &mut bytes)?;
    Ok(recognise(&bytes))
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
