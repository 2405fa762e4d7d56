//! The partitions of a raw image, from its GPT (UEFI 2.10 section 5.3), each as a [`Window`].
//!
//! The `gpt` crate checks the checksums; the numbers that it would take on trust are looked at
//! before it is asked.

use std::io;

use gpt::disk::LogicalBlockSize;
use gpt::{GptConfig, GptError, partition_types};
use installer::disk::Window;

/// Most partitions that an image may have; a real one has four.
const MAX_ENTRIES: u32 = 1024;
/// The one size of a partition entry in use.
const ENTRY_SIZE: u32 = 128;

/// Why an image's partitions cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The image's sector size is neither 512 nor 4096.
    #[error("image has a partition table for sectors of {0} bytes; 512 and 4096 are known")]
    SectorSize(u32),
    /// Unreadable, or with a wrong checksum.
    #[error("image has no usable GPT")]
    Gpt(#[source] GptError),
    /// A header that claims what no image has.
    #[error(
        "image has a GPT with {entries} entries of {size} bytes; at most {MAX_ENTRIES} of {ENTRY_SIZE} are accepted"
    )]
    Claims {
        /// Number of entries.
        entries: u32,
        /// Bytes of an entry.
        size: u32,
    },
    /// A partition that is not inside the image.
    #[error("partition {number} (`{name}`) lies outside the image of {size} bytes")]
    OutOfBounds {
        /// Partition number.
        number: u32,
        /// Partition name.
        name: String,
        /// Size of the image, bytes.
        size: u64,
    },
    /// The file of the image cannot be read.
    #[error("cannot read the image")]
    Read(#[source] io::Error),
}

/// One partition.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) is_esp: bool,
    pub(super) window: Window,
}

/// Reads the partitions of `image`, whose table is made for sectors of `sector_size` bytes.
pub(super) fn partitions(image: &Window, sector_size: u32) -> Result<Vec<Partition>, TableError> {
    let block = match sector_size {
        512 => LogicalBlockSize::Lb512,
        4096 => LogicalBlockSize::Lb4096,
        other => return Err(TableError::SectorSize(other)),
    };
    let sector = u64::from(sector_size);
    check_claims(image, sector)?;
    check_claims(image, image.len().saturating_sub(sector))?;
    let disk = GptConfig::new()
        .logical_block_size(block)
        .open_from_device(image.clone())
        .map_err(TableError::Gpt)?;
    let mut out = Vec::new();
    for (&number, entry) in disk.partitions() {
        let outside = || TableError::OutOfBounds {
            number,
            name: entry.name.clone(),
            size: image.len(),
        };
        let sectors = entry
            .last_lba
            .checked_sub(entry.first_lba)
            .and_then(|n| n.checked_add(1));
        let start = entry.first_lba.checked_mul(sector);
        let length = sectors.and_then(|n| n.checked_mul(sector));
        let window = start
            .zip(length)
            .and_then(|(start, length)| image.part(start, length))
            .ok_or_else(outside)?;
        let is_esp = entry.part_type_guid == partition_types::EFI;
        out.push(Partition {
            name: entry.name.clone(),
            is_esp,
            window,
        });
    }
    Ok(out)
}

/// Looks at the header at `offset`, if there is one: the crate allocates by its numbers.
fn check_claims(image: &Window, offset: u64) -> Result<(), TableError> {
    let mut header = [0u8; 92];
    match image.read_exact_at(offset, &mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        other => other.map_err(TableError::Read)?,
    }
    let (signature, fields) = header.split_at(80);
    let (entries, rest) = fields.split_at(4);
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
    let (entries, size) = (number(entries), number(rest.get(..4).unwrap_or_default()));
    if signature.starts_with(b"EFI PART") && (entries > MAX_ENTRIES || size != ENTRY_SIZE) {
        return Err(TableError::Claims { entries, size });
    }
    Ok(())
}
