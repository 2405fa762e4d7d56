//! Partitions that are kept over an install.

use std::collections::BTreeMap;
use std::io::Cursor;

use gpt::disk::LogicalBlockSize;
use installer::disk::{SaveFilter, SavedError};
use installer::install::{DiskState, InstallCause};
use installer::seal::SealError;

use crate::disk::{LoopDisk, OLD, assert_unbootable, partitions};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};

const MIB: usize = 1024 * 1024;
const DISK: usize = 96 * MIB;

/// A disk with an old root at 1 MiB, `data` in entry `number` from `start` MiB, 8 MiB long and
/// full of 0xdd, and an unnamed one after it.
fn disk_with_data(number: u32, start: usize) -> Result<LoopDisk, String> {
    let disk = LoopDisk::new(DISK, 512)?;
    let bytes = disk.bytes();
    let part = |name: &str, from: usize, to: usize| gpt::partition::Partition {
        part_type_guid: gpt::partition_types::LINUX_FS,
        part_guid: uuid::Uuid::new_v4(),
        first_lba: (from * MIB / 512) as u64,
        last_lba: (to * MIB / 512 - 1) as u64,
        flags: 1 << 60,
        name: name.to_owned(),
    };
    let mut cursor = Cursor::new(bytes);
    gpt::mbr::ProtectiveMBR::with_lb_size(u32::try_from(DISK / 512 - 1).unwrap())
        .overwrite_lba0(&mut cursor)
        .unwrap();
    let mut table = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(cursor, None)
        .unwrap();
    // The library writes entries without gaps: fill them with tiny partitions.
    let mut parts = BTreeMap::new();
    for filler in 1..number {
        let at = 2048 + u64::from(filler) * 8;
        parts.insert(
            filler,
            gpt::partition::Partition {
                first_lba: at,
                last_lba: at + 7,
                ..part("old", 1, 2)
            },
        );
    }
    parts.insert(number, part("data", start, start + 8));
    parts.insert(number + 1, part("", start + 8, start + 9));
    table.update_partitions(parts).unwrap();
    let mut bytes = table.write().unwrap().into_inner();
    bytes[start * MIB..(start + 8) * MIB].fill(0xdd);
    disk.write(0, &bytes);
    Ok(disk)
}

fn signed() -> Published {
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    Published::new("os.raw.zst", &bytes, Some(&signer.sign(&bytes)), &signer)
}

fn assert_data_intact(bytes: &[u8], start: usize) {
    assert!(
        bytes[start * MIB..(start + 8) * MIB]
            .iter()
            .all(|b| *b == 0xdd),
        "data is lost"
    );
}

#[test]
fn a_partition_kept_by_label_is_in_the_new_table_under_its_number() {
    let disk = or_skip!("keep_label", disk_with_data(7, 50));
    let published = signed();
    let mut request = request(&published, &disk);
    request.save = SaveFilter::labels("da*").unwrap();
    assert_eq!(run(request).unwrap().saved, 1);
    let bytes = disk.bytes();
    let found = partitions(&bytes, 512).unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|(n, name, ..)| (*n, name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (1, "BIOS-BOOT"),
            (2, "EFI-SYSTEM"),
            (3, "boot"),
            (4, "root"),
            (7, "data")
        ]
    );
    assert_eq!(
        (found[4].2, found[4].3),
        ((50 * MIB / 512) as u64, (58 * MIB / 512 - 1) as u64)
    );
    assert_data_intact(&bytes, 50);
    let image = raw(512);
    assert!(bytes[MIB..SIZE - MIB] == image[MIB..SIZE - MIB]);
    assert!(bytes[..440] == image[..440], "no boot code");
}

#[test]
fn a_partition_kept_by_number_moves_behind_the_image_if_its_number_is_taken() {
    let disk = or_skip!("keep_index", disk_with_data(2, 50));
    let published = signed();
    let mut request = request(&published, &disk);
    request.save = SaveFilter::indexes("2").unwrap();
    run(request).unwrap();
    let found = partitions(&disk.bytes(), 512).unwrap();
    let last = found.last().unwrap();
    assert_eq!((last.0, last.1.as_str()), (5, "data"));
    assert_data_intact(&disk.bytes(), 50);
}

#[test]
fn a_failed_install_leaves_exactly_the_kept_partitions() {
    let disk = or_skip!("keep_on_failure", disk_with_data(3, 50));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(b"other")), &signer);
    let mut request = request(&published, &disk);
    request.save = SaveFilter::labels("data,").unwrap();
    let error = run(request).unwrap_err();
    assert_eq!(error.state, DiskState::Unbootable { saved: 2 });
    assert_unbootable(&disk.bytes(), 512, &["data", ""]);
    let numbers: Vec<_> = partitions(&disk.bytes(), 512)
        .unwrap()
        .iter()
        .map(|p| p.0)
        .collect();
    assert_eq!(numbers, [3, 4]);
    assert_data_intact(&disk.bytes(), 50);
}

#[test]
fn an_image_that_reaches_a_kept_partition_does_not_touch_the_disk() {
    let disk = or_skip!("keep_collision", disk_with_data(3, 30));
    let before = disk.bytes();
    let published = signed();
    let mut request = request(&published, &disk);
    request.save = SaveFilter::labels("data").unwrap();
    let error = run(request).unwrap_err();
    match error.source {
        InstallCause::Seal(SealError::Saved(SavedError::Collision { need, start })) => {
            assert_eq!((need, start), (SIZE as u64, 30 * MIB as u64));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Untouched);
    assert!(before == disk.bytes());
}

#[test]
fn numbers_on_a_disk_with_an_mbr_are_refused_and_labels_keep_nothing() {
    let disk = or_skip!("keep_mbr", LoopDisk::new(DISK, 512));
    let mut mbr = vec![0u8; 512];
    mbr[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]);
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    disk.write(0, &mbr);
    let published = signed();
    let mut by_number = request(&published, &disk);
    by_number.save = SaveFilter::indexes("1").unwrap();
    let error = run(by_number).unwrap_err();
    assert!(
        matches!(error.source, InstallCause::Saved(SavedError::Mbr)),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes()[512..].iter().all(|b| *b == OLD));

    let mut by_label = request(&published, &disk);
    by_label.save = SaveFilter::labels("*").unwrap();
    assert_eq!(run(by_label).unwrap().saved, 0);
}

#[test]
fn a_damaged_primary_table_is_read_from_its_backup() {
    let disk = or_skip!("keep_backup", disk_with_data(3, 50));
    disk.write(512, &[0xff; 512]);
    let published = signed();
    let mut request = request(&published, &disk);
    request.save = SaveFilter::labels("data").unwrap();
    assert_eq!(run(request).unwrap().saved, 1);
    assert_data_intact(&disk.bytes(), 50);
}

#[test]
fn a_disk_with_both_tables_damaged_is_not_touched_if_something_is_to_be_kept() {
    let disk = or_skip!("keep_damaged", disk_with_data(3, 50));
    disk.write(512, &[0xff; 512]);
    disk.write(DISK as u64 - 512, &[0xff; 512]);
    let before = disk.bytes();
    let published = signed();
    let mut request = request(&published, &disk);
    request.save = SaveFilter::labels("data").unwrap();
    let error = run(request).unwrap_err();
    assert!(
        matches!(error.source, InstallCause::Saved(SavedError::Damaged(_))),
        "{error:?}"
    );
    assert!(before == disk.bytes());
}
