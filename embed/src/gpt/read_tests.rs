//! Reading both copies of a disk: sgdisk's tables, damaged ones and lying ones.

use super::*;
use std::io;
use std::process::Command;

const MIB: u64 = 1024 * 1024;

/// A table made by sgdisk, so that the reader is measured against another implementation.
fn disk(mib: u64) -> Option<Vec<u8>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(mib * MIB).unwrap();
    let made = Command::new("sgdisk")
        .args([
            "-n",
            "1:2048:+1M",
            "-c",
            "1:BIOS-BOOT",
            "-n",
            "3:0:+2M",
            "-c",
            "3:boot",
            "-n",
            "7:0:+3M",
            "-c",
            "7:root",
        ])
        .arg(file.path())
        .output();
    match made {
        Ok(output) if output.status.success() => Some(std::fs::read(file.path()).unwrap()),
        other => {
            eprintln!("SKIP: embed::gpt: sgdisk is needed: {other:?}");
            None
        }
    }
}

fn read(disk: &[u8]) -> Result<Table, TableError> {
    let read_at = |offset: u64, buffer: &mut [u8]| {
        let start = usize::try_from(offset).unwrap();
        let bytes = disk.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    Table::read(read_at, SectorSize::B512, disk.len() as u64)
}

/// What is wrong with the primary and the backup.
fn damage(disk: &[u8]) -> (GptError, GptError) {
    match read(disk) {
        Err(TableError::Gpt { primary, backup }) => (primary, backup),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_numbers_and_places_are_as_sgdisk_wrote_them() {
    let Some(disk) = disk(16) else { return };
    let want = |number, name: &str, start, length| Partition {
        number,
        name: name.into(),
        start,
        length,
    };
    let partitions: Vec<_> = read(&disk).unwrap().partitions().collect();
    let mib = [(1, "BIOS-BOOT", 1, 1), (3, "boot", 2, 2), (7, "root", 4, 3)];
    assert_eq!(
        partitions,
        mib.map(|(n, name, start, length)| want(n, name, start * MIB, length * MIB))
    );
}

#[test]
fn a_damaged_primary_is_replaced_by_the_backup() {
    let Some(mut disk) = disk(16) else { return };
    let good = read(&disk).unwrap();
    disk[512 + 60] ^= 1;
    assert_eq!(read(&disk).unwrap(), good);
    let last = disk.len() - 512;
    disk[last + 60] ^= 1;
    assert_eq!(damage(&disk), (GptError::Header, GptError::Header));
}

#[test]
fn lying_headers_are_refused_without_large_allocations() {
    let Some(disk) = disk(16) else { return };
    let last = disk.len() - 512;
    for (at, value) in [
        (12, u32::MAX),
        (12, 0),
        (80, u32::MAX),
        (80, 0),
        (84, 1),
        (84, u32::MAX),
        (75, u32::MAX),
    ] {
        let mut bad = disk.clone();
        bad[last..].fill(0);
        bad[512 + at..512 + at + 4].copy_from_slice(&value.to_le_bytes());
        bad[512 + 16..512 + 20].fill(0);
        let crc = CRC32.checksum(&bad[512..512 + 92]);
        bad[512 + 16..512 + 20].copy_from_slice(&crc.to_le_bytes());
        let (primary, backup) = damage(&bad);
        assert_ne!(primary, GptError::NoSignature, "{at} {value:#x}");
        assert_eq!(backup, GptError::NoSignature);
    }
}

#[test]
fn what_is_no_table_has_no_signature() {
    for length in [0usize, 511, 512, 1024, 4096] {
        let want = (GptError::NoSignature, GptError::NoSignature);
        assert_eq!(damage(&vec![0; length]), want, "{length}");
    }
}
