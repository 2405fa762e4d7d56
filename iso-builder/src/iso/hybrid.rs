//! The system area that makes the medium start from a disk as well: GRUB's boot code, a GPT with
//! the ESP in place, and an MBR for firmware that does not read a GPT on removable disks.
//!
//! The MBR is a hybrid one (UEFI 2.10 section 5.2.3 wants a purely protective one; firmware that
//! insists falls back to the 0xef entry, firmware that does not sees the GPT).

use std::collections::BTreeMap;
use std::fs::File;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::{PartRecord, ProtectiveMBR};
use gpt::partition::Partition;
use gpt::{GptConfig, partition_types};

use super::layout::{FIRST_DESCRIPTOR, FileNode};
use super::{Hybrid, IsoError};

/// 512-byte blocks in an ISO sector.
const BLOCKS: u64 = 4;
/// Where GRUB's boot code keeps the 512-byte sector number of its second stage.
const GRUB_KERNEL_SECTOR: usize = 0x1b0;
const MBR_GPT: u8 = 0xee;
const MBR_ESP: u8 = 0xef;
const MBR_ACTIVE: u8 = 0x80;
/// "Use the block address": the largest CHS value.
const CHS_MAX: [u8; 3] = [0xfe, 0xff, 0xff];
/// GPT attributes: read-only and no drive letter (Microsoft basic data), harmless elsewhere.
const READ_ONLY_HIDDEN: u64 = 1 << 60 | 1 << 63;

/// Writes boot code, MBR, GPT and backup GPT into `out`, which has its full size.
///
/// `bios` is GRUB's El Torito image, `esp` the file that is the EFI system partition, both at their
/// places; the ESP is the last file, so that all others form one partition before it.
pub(super) fn write(
    out: &mut File,
    hybrid: &Hybrid,
    bios: &FileNode,
    esp: &FileNode,
    sectors: u32,
) -> Result<(), IsoError> {
    let esp_blocks = (u64::from(esp.lba) * BLOCKS, esp.size.div_ceil(512));
    let total = u64::from(sectors) * BLOCKS;
    write_gpt(out, hybrid, esp_blocks)?;
    let mut mbr = ProtectiveMBR::new();
    mbr.set_bootcode(boot_code(&hybrid.boot_code, bios)?);
    let [a, b, c, d, ..] = hybrid.disk_guid.into_bytes();
    mbr.set_disk_signature([a, b, c, d]);
    for (slot, record) in mbr_records(esp_blocks, total)?.into_iter().enumerate() {
        mbr.set_partition(slot, record);
    }
    mbr.overwrite_lba0(out)
        .map(|_| ())
        .map_err(|e| IsoError::Table(Box::new(e)))
}

fn write_gpt(out: &mut File, hybrid: &Hybrid, esp: (u64, u64)) -> Result<(), IsoError> {
    let failed = |e: gpt::GptError| IsoError::Table(Box::new(e));
    let data_first = u64::from(FIRST_DESCRIPTOR) * BLOCKS;
    let partition = |kind, guid, first: u64, last: u64, flags, name: &str| Partition {
        part_type_guid: kind,
        part_guid: guid,
        first_lba: first,
        last_lba: last,
        flags,
        name: name.to_owned(),
    };
    let [data_guid, esp_guid] = hybrid.partition_guids;
    let last = (esp.0 + esp.1).saturating_sub(1);
    let table = BTreeMap::from([
        (
            1,
            partition(
                partition_types::LINUX_FS,
                data_guid,
                data_first,
                esp.0 - 1,
                READ_ONLY_HIDDEN,
                "live-medium",
            ),
        ),
        (
            2,
            partition(partition_types::EFI, esp_guid, esp.0, last, 0, "live-efi"),
        ),
    ]);
    let config = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512);
    let mut disk = config
        .create_from_device(out, Some(hybrid.disk_guid))
        .map_err(failed)?;
    disk.update_partitions(table).map_err(failed)?;
    disk.write().map(|_| ()).map_err(failed)
}

fn mbr_records(esp: (u64, u64), total: u64) -> Result<[PartRecord; 3], IsoError> {
    let block = |n: u64| u32::try_from(n).map_err(|_| IsoError::TooLarge);
    let behind = esp.0 + esp.1;
    Ok([
        record(0, MBR_GPT, 1, block(esp.0.saturating_sub(1))?),
        // Some BIOSes start a disk only when an entry is active; GRUB's boot code does not care which.
        record(MBR_ACTIVE, MBR_ESP, block(esp.0)?, block(esp.1)?),
        record(
            0,
            MBR_GPT,
            block(behind)?,
            block(total.saturating_sub(behind))?,
        ),
    ])
}

fn record(boot_indicator: u8, os_type: u8, lb_start: u32, lb_size: u32) -> PartRecord {
    let [head, sector, track] = CHS_MAX;
    PartRecord {
        boot_indicator,
        start_head: head,
        start_sector: sector,
        start_track: track,
        os_type,
        end_head: head,
        end_sector: sector,
        end_track: track,
        lb_start,
        lb_size,
    }
}

fn boot_code(code: &[u8], bios: &FileNode) -> Result<[u8; 440], IsoError> {
    let bad = || IsoError::BootCode { size: code.len() };
    let mut out: [u8; 440] = code
        .get(..440)
        .and_then(|c| c.try_into().ok())
        .ok_or_else(bad)?;
    let second_stage = u64::from(bios.lba) * BLOCKS + 4;
    out.get_mut(GRUB_KERNEL_SECTOR..)
        .ok_or_else(bad)?
        .copy_from_slice(&second_stage.to_le_bytes());
    Ok(out)
}
