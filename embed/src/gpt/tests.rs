//! Tables read back by another library and by ourselves, and headers that lie.

use std::io::Cursor;

use super::*;

const SECTORS: u64 = 40960;

fn entry(first: u64, last: u64, guid: u8, name: &str) -> Entry {
    let mut bytes = [0u8; 72];
    for (pair, unit) in bytes.chunks_exact_mut(2).zip(name.encode_utf16()) {
        pair.copy_from_slice(&unit.to_le_bytes());
    }
    Entry {
        kind: [9; 16],
        guid: [guid; 16],
        first,
        last,
        attributes: 1 << 60,
        name: bytes,
    }
}

fn table(sector: SectorSize, entries: &[(u32, Entry)]) -> Table {
    Table {
        sector,
        disk_guid: [3; 16],
        last: 0,
        slots: 0,
        entries: entries.iter().cloned().collect(),
    }
}

/// A whole disk with the table on it.
fn disk(table: &Table) -> Vec<u8> {
    let sector = table.sector.bytes() as usize;
    let rendered = table.render(SECTORS).unwrap();
    let mut bytes = vec![0u8; usize::try_from(SECTORS).unwrap() * sector];
    bytes[..512].copy_from_slice(&protective_mbr(&[0; 440], SECTORS));
    bytes[sector..sector + rendered.primary.len()].copy_from_slice(&rendered.primary);
    let at = usize::try_from(rendered.backup_offset).unwrap();
    assert_eq!(at + rendered.backup.len(), bytes.len());
    bytes[at..].copy_from_slice(&rendered.backup);
    bytes
}

#[test]
fn a_rendered_table_is_valid_to_another_reader_in_both_places() {
    for sector in [SectorSize::B512, SectorSize::B4096] {
        let table = table(
            sector,
            &[
                (1, entry(2048, 4095, 1, "boot")),
                (2, entry(4096, 8191, 2, "Daten ä")),
            ],
        );
        let config = ::gpt::GptConfig::new()
            .only_valid_headers(true)
            .logical_block_size(u64::from(sector.bytes()).try_into().unwrap());
        let read = config.open_from_device(Cursor::new(disk(&table))).unwrap();
        let names: Vec<_> = read
            .partitions()
            .values()
            .map(|p| p.name.as_str())
            .collect();
        assert_eq!(names, ["boot", "Daten ä"]);
        assert_eq!(
            read.primary_header().unwrap().last_usable,
            read.backup_header().unwrap().last_usable
        );
        assert_eq!(read.partitions()[&2].flags, 1 << 60);
    }
}

#[test]
fn a_rendered_table_is_read_back_with_its_numbers() {
    let table = table(
        SectorSize::B512,
        &[
            (2, entry(2048, 2049, 1, "a")),
            (130, entry(4096, 4096, 2, "")),
        ],
    );
    let read = Table::of_image(&disk(&table), SectorSize::B512).unwrap();
    assert_eq!(read.entries, table.entries);
    assert_eq!((read.slots, read.last), (130, SECTORS - 1));
}

#[test]
fn tables_that_must_not_be_written_are_refused() {
    let check = |entries: &[(u32, Entry)]| table(SectorSize::B512, entries).check(SECTORS);
    assert_eq!(
        check(&[(1, entry(2048, 3000, 1, "")), (2, entry(4000, 5000, 1, ""))]),
        Err(GptError::DuplicateGuid {
            first: 1,
            second: 2
        })
    );
    assert_eq!(
        check(&[(1, entry(2048, 3000, 1, "")), (2, entry(3000, 5000, 2, ""))]),
        Err(GptError::Overlap {
            first: 1,
            second: 2
        })
    );
    assert_eq!(
        check(&[(4, entry(2048, 3000, 1, "")), (5, entry(2048, 2048, 2, ""))]),
        Err(GptError::Overlap {
            first: 4,
            second: 5
        })
    );
    assert_eq!(
        check(&[(7, entry(33, 3000, 1, ""))]),
        Err(GptError::Outside { number: 7 })
    );
    assert_eq!(
        check(&[(7, entry(2048, SECTORS - 33, 1, ""))]),
        Err(GptError::Outside { number: 7 })
    );
    assert_eq!(check(&[(7, entry(34, SECTORS - 34, 1, ""))]), Ok(()));
    assert_eq!(
        table(SectorSize::B512, &[]).check(60),
        Err(GptError::TooSmall { sectors: 60 })
    );
}

#[test]
fn a_header_that_lies_is_an_error_and_never_a_panic() {
    let good = disk(&table(
        SectorSize::B512,
        &[(1, entry(2048, 4095, 1, "boot"))],
    ));
    let with_field = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[512 + at..512 + at + value.len()].copy_from_slice(value);
        bytes[512 + 16..512 + 20].fill(0);
        let crc = CRC32.checksum(&bytes[512..512 + 92]);
        bytes[512 + 16..512 + 20].copy_from_slice(&crc.to_le_bytes());
        Table::of_image(&bytes, SectorSize::B512)
    };
    assert!(with_field(0, b"EFI PART").is_ok());
    let field =
        |name: &str, result| matches!(result, Err(GptError::Field { field, .. }) if field == name);
    assert!(field(
        "NumberOfPartitionEntries",
        with_field(80, &u32::MAX.to_le_bytes())
    ));
    assert!(field(
        "SizeOfPartitionEntry",
        with_field(84, &0u32.to_le_bytes())
    ));
    assert!(field(
        "SizeOfPartitionEntry",
        with_field(84, &100u32.to_le_bytes())
    ));
    assert!(field(
        "PartitionEntryLBA",
        with_field(72, &u64::MAX.to_le_bytes())
    ));
    assert_eq!(
        with_field(72, &(1u64 << 40).to_le_bytes()),
        Err(GptError::Entries)
    );
    assert_eq!(with_field(88, &[0; 4]), Err(GptError::Entries));
    assert_eq!(with_field(24, &2u64.to_le_bytes()), Err(GptError::Header));
    let mut damaged = good.clone();
    damaged[512 + 60] ^= 1;
    assert_eq!(
        Table::of_image(&damaged, SectorSize::B512),
        Err(GptError::Header)
    );
    let mut long = good;
    long[512 + 12..512 + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        Table::of_image(&long, SectorSize::B512),
        Err(GptError::Header)
    );
    assert_eq!(
        Table::of_image(b"short", SectorSize::B512),
        Err(GptError::NoSignature)
    );
}

#[test]
fn the_sector_size_of_an_image_is_where_its_signature_is() {
    let mut bytes = vec![0u8; 8192];
    assert_eq!(sector_size_of_image(&bytes), None);
    bytes[4096..4104].copy_from_slice(SIGNATURE);
    assert_eq!(sector_size_of_image(&bytes), Some(SectorSize::B4096));
    bytes[512..520].copy_from_slice(SIGNATURE);
    assert_eq!(sector_size_of_image(&bytes), Some(SectorSize::B512));
    assert_eq!(sector_size_of_image(b"EFI"), None);
}

#[test]
fn a_protective_mbr_keeps_the_boot_code_and_covers_the_disk() {
    let mbr = protective_mbr(&[7; 440], 1 << 40);
    assert_eq!(mbr[..440], [7; 440]);
    assert_eq!((mbr[450], mbr[510], mbr[511]), (0xee, 0x55, 0xaa));
    assert_eq!(mbr[458..462], [0xff; 4]);
    assert_eq!(
        protective_mbr(&[0; 440], 100)[458..462],
        99u32.to_le_bytes()
    );
}
