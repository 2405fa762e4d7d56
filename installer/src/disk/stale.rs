//! File systems labelled `boot` on other disks than the target: what an earlier install left there
//! may be booted, or mounted as the new system's, by its label. Found by reading superblocks inside
//! partition tables; wiped only when asked to.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use embed::contract::boot;
use embed::gpt::Table;
use uuid::Uuid;

use super::content::Glance;
use super::label::{self, Kind};
use super::table::{self, Label};
use super::{BlockDevice, Disk, SectorSize, TargetError, sector_size_of};

/// Bytes of a partition's start that are read and written back; they hold both superblocks.
const HEAD: usize = 4096;
/// Smaller partitions hold no file system.
const MIN_LEN: u64 = 64 * 1024;
/// GUID of the type of RAID members.
const RAID: Uuid = Uuid::from_u128(0xa19d880f_05fc_4d3b_a006_743f0f84911e);
/// What Linux RAID superblocks begin with.
const MD_MAGIC: [u8; 4] = [0xfc, 0x4e, 0x2b, 0xa9];
/// What the superblocks of two kinds of firmware RAID begin with.
const IMSM_MAGIC: &[u8] = b"Intel Raid ISM Cfg Sig. ";
const DDF_MAGIC: &[u8] = &[0xde, 0x11, 0xde, 0x11];

/// Where a file system begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalePlace {
    /// The disk.
    pub disk: PathBuf,
    /// Number of the partition; `None` on a disk without partitions.
    pub partition: Option<u32>,
    offset: u64,
}

impl StalePlace {
    pub(crate) fn new(disk: impl Into<PathBuf>, partition: Option<u32>, offset: u64) -> Self {
        Self {
            disk: disk.into(),
            partition,
            offset,
        }
    }
}

impl fmt::Display for StalePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            Some(number) => write!(f, "partition {number} of {}", self.disk.display()),
            None => write!(f, "{}", self.disk.display()),
        }
    }
}

/// A file system labelled `boot`, and every place at which it is seen: more than one if there are
/// several paths to its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleBoot {
    /// Its UUID.
    pub uuid: Uuid,
    /// Where it is.
    pub places: Vec<StalePlace>,
}

/// Why a stale file system could not be wiped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WipeError {
    /// The disk cannot be opened, or somebody uses it.
    #[error("cannot wipe the `boot` file system on {place}")]
    Target {
        /// Where it is.
        place: String,
        /// Why.
        #[source]
        source: TargetError,
    },
    /// Reading or writing failed.
    #[error("wiping the `boot` file system on {place} failed")]
    Io {
        /// Where it is.
        place: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Looks for them on `disks`, leaving out `target` and whatever has a UUID that is also on `target`:
/// that is the target by another path. A disk that cannot be read holds none.
pub fn stale_boots(disks: &[PathBuf], target: &Path) -> Vec<StaleBoot> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let known: Vec<Uuid> = boots_on(target)
        .unwrap_or_default()
        .into_iter()
        .map(|(uuid, _)| uuid)
        .collect();
    let mut found: Vec<StaleBoot> = Vec::new();
    for disk in disks.iter().filter(|disk| real(disk) != real(target)) {
        for (uuid, place) in boots_on(disk).unwrap_or_default() {
            if known.contains(&uuid) {
                continue;
            }
            match found.iter_mut().find(|stale| stale.uuid == uuid) {
                Some(stale) => stale.places.push(place),
                None => found.push(StaleBoot {
                    uuid,
                    places: vec![place],
                }),
            }
        }
    }
    found
}

impl StaleBoot {
    /// Makes the file system unknown: its label and its magic number are zeroed, at every place
    /// where it still is. A disk in use is refused.
    pub fn wipe(&self) -> Result<(), WipeError> {
        for place in &self.places {
            let device = BlockDevice::open(&place.disk).map_err(|source| WipeError::Target {
                place: place.to_string(),
                source,
            })?;
            wipe_at(&device, place.offset, self.uuid).map_err(|source| WipeError::Io {
                place: place.to_string(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Wipes the file system at `offset` if it is labelled `boot` and has this UUID.
fn wipe_at(disk: &dyn Disk, offset: u64, uuid: Uuid) -> io::Result<()> {
    let mut head = vec![0u8; HEAD];
    disk.read_at(offset, &mut head)?;
    let Some((kind, label)) = label::parse(&head) else {
        return Ok(());
    };
    // The same disk by another path was wiped already, or was installed to.
    if label != boot::LABEL || uuid_of(kind, &head) != Some(uuid) {
        return Ok(());
    }
    let (magic, label) = match kind {
        Kind::Ext => (1080..1082, 1144..1160),
        Kind::Xfs => (0..4, 108..120),
    };
    for range in [magic, label] {
        if let Some(bytes) = head.get_mut(range) {
            bytes.fill(0);
        }
    }
    disk.write_at(offset, &head)?;
    disk.flush()
}

/// The file systems labelled `boot` on a disk.
fn boots_on(path: &Path) -> io::Result<Vec<(Uuid, StalePlace)>> {
    let sector = sector_size_of(path).unwrap_or(SectorSize::B512);
    let mut file = File::open(path)?;
    let disk = Glance {
        len: file.seek(SeekFrom::End(0))?,
        file,
        sector,
    };
    if is_raid_member(&disk, 0, disk.len)? {
        return Ok(Vec::new());
    }
    let places = match table::read(&disk)? {
        Label::Gpt(table) => partitions(&table),
        Label::None => vec![(None, 0, disk.len)],
        Label::Mbr(_) | Label::Damaged(_) => Vec::new(),
    };
    let mut found = Vec::new();
    for (partition, offset, len) in places {
        let fits = offset.checked_add(len).is_some_and(|end| end <= disk.len);
        if !fits || len < MIN_LEN || is_raid_member(&disk, offset, len)? {
            continue;
        }
        let mut head = vec![0u8; HEAD];
        disk.read_at(offset, &mut head)?;
        if let Some((kind, label)) = label::parse(&head)
            && label == boot::LABEL
            && let Some(uuid) = uuid_of(kind, &head)
        {
            found.push((uuid, StalePlace::new(path, partition, offset)));
        }
    }
    Ok(found)
}

/// Number, start and length of the partitions that are not typed as members of a RAID.
fn partitions(table: &Table) -> Vec<(Option<u32>, u64, u64)> {
    let is_raid = |number| {
        let entry = table.entries.get(&number);
        entry.is_some_and(|entry| Uuid::from_bytes_le(entry.kind) == RAID)
    };
    table
        .partitions()
        .filter(|partition| !is_raid(partition.number))
        .map(|partition| (Some(partition.number), partition.start, partition.length))
        .collect()
}

/// ext4: `s_uuid` at 104 of the superblock at 1024. XFS: `sb_uuid` at 32.
fn uuid_of(kind: Kind, head: &[u8]) -> Option<Uuid> {
    let at = match kind {
        Kind::Ext => 1128,
        Kind::Xfs => 32,
    };
    Some(Uuid::from_bytes(*head.get(at..)?.first_chunk()?))
}

/// Whether `len` bytes from `offset` belong to a RAID, by the superblock of any format that leaves
/// the member's own start readable: Linux' 0.90 and 1.0 at the end, 1.1 and 1.2 at the start, and
/// the two common formats of firmware.
fn is_raid_member(disk: &Glance, offset: u64, len: u64) -> io::Result<bool> {
    let sector = u64::from(disk.sector.bytes());
    let places = [
        (0, MD_MAGIC.as_slice()),
        (4096, &MD_MAGIC),
        (((len / 512).saturating_sub(16) & !7) * 512, &MD_MAGIC),
        ((len & !0xffff).saturating_sub(0x1_0000), &MD_MAGIC),
        (len.saturating_sub(2 * sector), IMSM_MAGIC),
        (len.saturating_sub(sector), DDF_MAGIC),
    ];
    for (at, magic) in places {
        let mut bytes = vec![0u8; magic.len()];
        if at.saturating_add(bytes.len() as u64) <= len {
            disk.read_at(offset.saturating_add(at), &mut bytes)?;
            if bytes == magic {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
