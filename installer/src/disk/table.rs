//! Which partition table a disk has: tells an MBR and an empty disk from a GPT, and from a GPT
//! that is damaged. Reading the tables themselves is `embed::gpt`'s and `embed::mbr`'s.

use std::io;

use embed::gpt::{GptError, Table, TableError};
use embed::mbr::{self, MbrPartition};

use super::Disk;

/// What lies at the start of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// A GPT; from its backup if the primary is damaged.
    Gpt(Table),
    /// An MBR with partitions of its own.
    Mbr(Vec<MbrPartition>),
    /// Something says GPT, but neither copy is good.
    Damaged(GptError),
    /// None of these.
    None,
}

/// Reads the table of `disk`.
pub(crate) fn read(disk: &dyn Disk) -> io::Result<Label> {
    let read_at = |offset, buf: &mut [u8]| disk.read_at(offset, buf);
    let (primary, backup) = match Table::read(read_at, disk.sector_size(), disk.len()) {
        Ok(table) => return Ok(Label::Gpt(table)),
        Err(TableError::Io(error)) => return Err(error),
        Err(TableError::Gpt { primary, backup }) => (primary, backup),
    };
    if disk.len() < u64::from(disk.sector_size().bytes()) {
        return Ok(Label::None);
    }
    let kinds = mbr_kinds(disk)?;
    let says_gpt = kinds.is_some_and(|kinds| kinds.contains(&0xee));
    match (primary, backup) {
        (GptError::NoSignature, GptError::NoSignature) if says_gpt => {
            Ok(Label::Damaged(GptError::NoSignature))
        }
        (GptError::NoSignature, GptError::NoSignature) => match kinds {
            Some(kinds) if kinds.iter().any(|kind| *kind != 0) => Ok(Label::Mbr(mbr::read(
                read_at,
                disk.sector_size(),
                disk.len(),
            )?)),
            _ => Ok(Label::None),
        },
        // A leftover at the end of a disk that has got an MBR since.
        (GptError::NoSignature, _) if kinds.is_some() && !says_gpt => Ok(Label::Mbr(mbr::read(
            read_at,
            disk.sector_size(),
            disk.len(),
        )?)),
        (GptError::NoSignature, error) | (error, _) => Ok(Label::Damaged(error)),
    }
}

/// The types of the four MBR records, or `None` without a boot signature.
fn mbr_kinds(disk: &dyn Disk) -> io::Result<Option<[u8; 4]>> {
    let mut bytes = vec![0u8; disk.sector_size().bytes() as usize];
    disk.read_at(0, &mut bytes)?;
    if bytes.get(510..512) != Some(&[0x55, 0xaa]) {
        return Ok(None);
    }
    let kind = |at: usize| bytes.get(at).copied().unwrap_or_default();
    Ok(Some([kind(450), kind(466), kind(482), kind(498)]))
}
