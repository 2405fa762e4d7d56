//! The partitions of a raw image or a disk with what they hold, each also as a [`Window`].

use std::fs::File;
use std::io;
use std::sync::Arc;

use embed::gpt::Table;
use embed::mbr::MbrPartition;
use serde::Serialize;
use uuid::Uuid;

use crate::disk::content::{self, Glance, TableKind};
use crate::disk::table::{self, Label};
use crate::disk::{Held, SectorSize, Window};

/// Partition types that people know by name (UEFI 2.10 section 5.3.3, Discoverable Partitions
/// Specification).
const TYPES: [(Uuid, &str); 12] = [
    (
        Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b),
        "EFI system",
    ),
    (
        Uuid::from_u128(0x21686148_6449_6e6f_744e_656564454649),
        "BIOS boot",
    ),
    (
        Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4),
        "Linux",
    ),
    (
        Uuid::from_u128(0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709),
        "Linux root (x86-64)",
    ),
    (
        Uuid::from_u128(0xb921b045_1df0_41c3_af44_4c6f280d3fae),
        "Linux root (arm64)",
    ),
    (
        Uuid::from_u128(0xbc13c2ff_59e6_4262_a352_b275fd6f7172),
        "Linux boot",
    ),
    (
        Uuid::from_u128(0x0657fd6d_a4ab_43c4_84e5_0933c84b4f4f),
        "Linux swap",
    ),
    (
        Uuid::from_u128(0xe6d6d379_f507_44c2_a23c_238f2a3df928),
        "Linux LVM",
    ),
    (
        Uuid::from_u128(0xa19d880f_05fc_4d3b_a006_743f0f84911e),
        "Linux RAID",
    ),
    (
        Uuid::from_u128(0x8da63339_0007_60c0_c436_083ac8230908),
        "Linux reserved",
    ),
    (
        Uuid::from_u128(0x9e1a2d38_c612_4316_aa26_8b49521e5a8b),
        "PowerPC PReP",
    ),
    (
        Uuid::from_u128(0xebd0a0a2_b9e5_4433_87c0_68b6b72699c7),
        "Microsoft basic data",
    ),
];

/// The same for MBRs, where there is no registry; these are what Linux and its installers use.
const MBR_TYPES: [(&[u8], &str); 9] = [
    (&[0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e], "FAT"),
    (&[0x05, 0x0f, 0x85], "extended"),
    (&[0x07], "NTFS or exFAT"),
    (&[0x27], "Windows recovery"),
    (&[0x82], "Linux swap"),
    (&[0x83], "Linux"),
    (&[0x8e], "Linux LVM"),
    (&[0xef], "EFI system"),
    (&[0xfd], "Linux RAID"),
];

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PartitionFound {
    /// Number, from 1.
    pub number: u32,
    /// Name in the partition table; empty in an MBR, which has none.
    pub label: String,
    /// GUID of its type, in a GPT.
    pub type_guid: Option<String>,
    /// Its type, in an MBR.
    pub mbr_type: Option<u8>,
    /// What that type is called, if it is a known one.
    pub type_name: Option<&'static str>,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// What it holds, if that is known.
    pub holds: Option<Held>,
}

/// A raw image or a disk and its partitions.
pub(super) struct Found {
    whole: Window,
    pub(super) table: TableKind,
    pub(super) sector_size: Option<u32>,
    pub(super) partitions: Vec<PartitionFound>,
}

impl Found {
    pub(super) fn size(&self) -> u64 {
        self.whole.len()
    }

    /// The bytes of a partition; `None` if it is not all there.
    pub(super) fn window(&self, partition: &PartitionFound) -> Option<Window> {
        self.whole.part(partition.start, partition.size)
    }

    /// Partitions whose file system has the label `label`.
    pub(super) fn labelled(&self, label: &str) -> Vec<&PartitionFound> {
        let has_label = |partition: &&PartitionFound| {
            partition
                .holds
                .as_ref()
                .is_some_and(|held| held.label == label)
        };
        self.partitions.iter().filter(has_label).collect()
    }
}

/// Reads the table of `raw`, whatever sector size it is made for.
pub(super) fn read(raw: File) -> io::Result<Found> {
    let raw = Arc::new(raw);
    let whole = Window::whole(Arc::clone(&raw))?;
    let mut disk = Glance {
        file: raw.try_clone()?,
        len: whole.len(),
        sector: SectorSize::B512,
    };
    let mut label = table::read(&disk)?;
    if !matches!(label, Label::Gpt(_)) {
        disk.sector = SectorSize::B4096;
        match table::read(&disk)? {
            Label::Gpt(table) => label = Label::Gpt(table),
            _ => disk.sector = SectorSize::B512,
        }
    }
    let mut sector_size = None;
    let (kind, partitions) = match label {
        Label::Gpt(table) => {
            sector_size = Some(table.sector.bytes());
            (TableKind::Gpt, gpt_partitions(&table, &disk))
        }
        Label::Mbr(partitions) => {
            let found = partitions.iter().map(|p| mbr_partition(p, &disk));
            (TableKind::Mbr, found.collect())
        }
        Label::Damaged(_) => (TableKind::Damaged, Vec::new()),
        Label::None => (TableKind::None, Vec::new()),
    };
    Ok(Found {
        whole,
        table: kind,
        sector_size,
        partitions,
    })
}

fn gpt_partitions(table: &Table, disk: &Glance) -> Vec<PartitionFound> {
    let kind = |number| table.entries.get(&number).map(|entry| entry.kind);
    table
        .partitions()
        .map(|partition| {
            let guid = Uuid::from_bytes_le(kind(partition.number).unwrap_or_default());
            PartitionFound {
                type_guid: Some(guid.to_string()),
                mbr_type: None,
                type_name: TYPES.iter().find(|t| t.0 == guid).map(|t| t.1),
                holds: content::held_by(disk, partition.start, partition.length),
                number: partition.number,
                label: partition.name,
                start: partition.start,
                size: partition.length,
            }
        })
        .collect()
}

fn mbr_partition(partition: &MbrPartition, disk: &Glance) -> PartitionFound {
    let known = MBR_TYPES
        .iter()
        .find(|(kinds, _)| kinds.contains(&partition.kind));
    PartitionFound {
        number: partition.number,
        label: String::new(),
        type_guid: None,
        mbr_type: Some(partition.kind),
        type_name: known.map(|(_, name)| *name),
        start: partition.start,
        size: partition.length,
        holds: content::held_by_mbr(disk, partition),
    }
}
