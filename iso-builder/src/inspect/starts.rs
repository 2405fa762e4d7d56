//! The tables at the start of an ISO that make it a disk: MBR (what a BIOS starts, and firmware
//! that reads no GPT on removable disks) and GPT (UEFI 2.10 sections 5.2 and 5.3).

use std::io;

use embed::gpt::{SectorSize, Table};
use installer::disk::Window;
use serde::Serialize;

/// Bytes of boot code in an MBR.
const BOOT_CODE: usize = 440;
const RECORDS: usize = 446;
const RECORD: usize = 16;
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// Type of an EFI system partition, C12A7328-F81F-11D2-BA4B-00A0C93EC93B as it is stored.
const ESP: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];

/// An entry of an MBR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MbrPartition {
    /// Type; 0xef is an EFI system partition, 0xee a GPT's.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Whether a BIOS takes it for one to start from.
    pub active: bool,
    /// Where it begins, bytes.
    pub offset: u64,
    /// Size, bytes.
    pub size: u64,
}

/// A partition of a GPT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GptPartition {
    /// Number, from 1.
    pub number: u32,
    /// Name.
    pub name: String,
    /// Whether UEFI looks for programs on it.
    pub efi_system: bool,
    /// Where it begins, bytes.
    pub offset: u64,
    /// Size, bytes.
    pub size: u64,
}

/// An MBR.
pub(super) struct Mbr {
    pub(super) boot_code: bool,
    pub(super) partitions: Vec<MbrPartition>,
}

/// The MBR of a medium; empty when it has none.
pub(super) fn mbr(medium: &Window) -> io::Result<Mbr> {
    let mut sector = [0u8; 512];
    medium.read_exact_at(0, &mut sector)?;
    if !sector.ends_with(&SIGNATURE) {
        return Ok(Mbr {
            boot_code: false,
            partitions: Vec::new(),
        });
    }
    let records = sector
        .get(RECORDS..RECORDS + 4 * RECORD)
        .unwrap_or_default();
    let partitions = records.chunks_exact(RECORD).filter_map(record).collect();
    Ok(Mbr {
        boot_code: sector.iter().take(BOOT_CODE).any(|&byte| byte != 0),
        partitions,
    })
}

fn record(bytes: &[u8]) -> Option<MbrPartition> {
    let sectors = |at: usize| {
        let number = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(number)) * 512)
    };
    let kind = *bytes.get(4)?;
    (kind != 0).then_some(MbrPartition {
        kind,
        active: bytes.first()? & 0x80 != 0,
        offset: sectors(8)?,
        size: sectors(12)?,
    })
}

/// The partitions of a medium's GPT, if it has a good one.
pub(super) fn gpt(medium: &Window) -> Option<Vec<GptPartition>> {
    let read_at = |offset: u64, buffer: &mut [u8]| medium.read_exact_at(offset, buffer);
    let table = Table::read(read_at, SectorSize::B512, medium.len()).ok()?;
    let is_esp = |number: u32| {
        let entry = table.entries.get(&number);
        entry.is_some_and(|entry| entry.kind == ESP)
    };
    let partitions = table.partitions().map(|partition| GptPartition {
        number: partition.number,
        efi_system: is_esp(partition.number),
        name: partition.name,
        offset: partition.start,
        size: partition.length,
    });
    Some(partitions.collect())
}
