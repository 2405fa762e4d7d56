//! Which partition table a disk has: reads both copies of a GPT and says which one counts, and
//! tells an MBR and an empty disk from a GPT that is damaged.

use std::io;

use super::gpt::{GptError, Header, Table};
use super::{Disk, SectorSize};

/// What lies at the start of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// A GPT; from its backup if the primary is damaged.
    Gpt(Table),
    /// An MBR with partitions of its own.
    Mbr,
    /// Something says GPT, but neither copy is good.
    Damaged(GptError),
    /// None of these.
    None,
}

/// Reads the table of `disk`.
pub(crate) fn read(disk: &dyn Disk) -> io::Result<Label> {
    let sector = disk.sector_size();
    let sectors = disk.len() / u64::from(sector.bytes());
    if sectors < 3 {
        return Ok(Label::None);
    }
    let primary = match read_copy(disk, 1, sector)? {
        Ok(table) => return Ok(Label::Gpt(table)),
        Err(error) => error,
    };
    let backup = match read_copy(disk, sectors - 1, sector)? {
        Ok(table) => return Ok(Label::Gpt(table)),
        Err(error) => error,
    };
    let kinds = mbr_kinds(disk)?;
    let says_gpt = kinds.is_some_and(|kinds| kinds.contains(&0xee));
    match (primary, backup) {
        (GptError::NoSignature, GptError::NoSignature) if says_gpt => {
            Ok(Label::Damaged(GptError::NoSignature))
        }
        (GptError::NoSignature, GptError::NoSignature) => match kinds {
            Some(kinds) if kinds.iter().any(|kind| *kind != 0) => Ok(Label::Mbr),
            _ => Ok(Label::None),
        },
        // A leftover at the end of a disk that has got an MBR since.
        (GptError::NoSignature, _) if kinds.is_some() && !says_gpt => Ok(Label::Mbr),
        (GptError::NoSignature, error) | (error, _) => Ok(Label::Damaged(error)),
    }
}

fn read_copy(disk: &dyn Disk, lba: u64, sector: SectorSize) -> io::Result<Result<Table, GptError>> {
    let mut bytes = vec![0u8; sector.bytes() as usize];
    disk.read_at(lba.saturating_mul(sector.bytes().into()), &mut bytes)?;
    let header = match Header::parse(&bytes, lba, sector) {
        Ok(header) => header,
        Err(error) => return Ok(Err(error)),
    };
    let end = header.array_offset.saturating_add(header.array_len as u64);
    if end > disk.len() {
        return Ok(Err(GptError::Entries));
    }
    // Whole sectors, as direct I/O wants them.
    let mut array = vec![0u8; header.array_len.next_multiple_of(sector.bytes() as usize)];
    if header.array_offset.saturating_add(array.len() as u64) > disk.len() {
        return Ok(Err(GptError::Entries));
    }
    disk.read_at(header.array_offset, &mut array)?;
    array.truncate(header.array_len);
    Ok(header.with_entries(&array))
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
