//! The grammar of what to keep, and where kept partitions end up in the image's table.

use super::*;
use crate::disk::SectorSize;

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
        attributes: 0,
        name: bytes,
    }
}

fn table(entries: &[(u32, Entry)]) -> Table {
    Table {
        sector: SectorSize::B512,
        disk_guid: [3; 16],
        last: 0,
        slots: 128,
        entries: entries.iter().cloned().collect(),
    }
}

fn saved(entries: &[(u32, Entry)]) -> Saved {
    Saved {
        table: table(entries),
        sectors: 100_000,
    }
}

fn numbers(merged: &Table) -> Vec<(u32, String)> {
    merged.entries.iter().map(|(n, e)| (*n, e.name())).collect()
}

#[test]
fn indexes_are_numbers_and_ranges_with_open_ends() {
    let parse = |text: &str| match SaveFilter::indexes(text).unwrap().as_slice() {
        [SaveFilter::Index(range)] => (*range.start(), *range.end()),
        other => panic!("{other:?}"),
    };
    assert_eq!(parse("5"), (5, 5));
    assert_eq!(parse("5-7"), (5, 7));
    assert_eq!(parse("5-"), (5, u32::MAX));
    assert_eq!(parse("-7"), (1, 7));
    assert_eq!(SaveFilter::indexes("1,3-5").unwrap().len(), 2);
}

#[test]
fn wrong_indexes_are_refused_each_in_its_way() {
    use SaveFilterError as E;
    let error = |text: &str| SaveFilter::indexes(text).unwrap_err();
    for text in [
        "",
        "-",
        "x",
        "0x5",
        "1-2-3",
        "+5",
        "5-x",
        "99999999999",
        " 5",
    ] {
        assert!(matches!(error(text), E::Index { .. }), "{text}");
    }
    for text in ["0", "0-5", "-0", "0-"] {
        assert!(matches!(error(text), E::Zero { .. }), "{text}");
    }
    assert!(matches!(error("7-5"), E::Reversed { .. }));
    assert!(matches!(
        SaveFilter::labels("***").unwrap_err(),
        E::Glob { .. }
    ));
}

#[test]
fn labels_match_names_and_the_empty_one_those_without() {
    let filters = SaveFilter::labels("data*,").unwrap();
    let selects = |name| filters.iter().any(|f| f.selects(1, &entry(1, 1, 1, name)));
    assert!(selects("data") && selects("data-2") && selects(""));
    assert!(!selects("root") && !selects("my data"));
}

#[test]
fn a_number_above_the_images_is_kept_and_a_taken_one_moves_behind() {
    let image = table(&[
        (1, entry(2048, 4095, 1, "boot")),
        (4, entry(4096, 8191, 2, "root")),
    ]);
    let merge = |entries: &[(u32, Entry)]| numbers(&saved(entries).merge(&image).unwrap());
    let (a, b) = (entry(20_000, 20_999, 8, "a"), entry(30_000, 30_999, 9, "b"));
    let names = |list: &[(u32, &str)]| -> Vec<(u32, String)> {
        list.iter()
            .map(|(n, name)| (*n, (*name).to_owned()))
            .collect()
    };
    assert_eq!(
        merge(&[(9, a.clone())]),
        names(&[(1, "boot"), (4, "root"), (9, "a")])
    );
    assert_eq!(
        merge(&[(2, a.clone())]),
        names(&[(1, "boot"), (4, "root"), (5, "a")])
    );
    assert_eq!(
        merge(&[(2, a.clone()), (3, b.clone())]),
        names(&[(1, "boot"), (4, "root"), (5, "a"), (6, "b")])
    );
    assert_eq!(
        merge(&[(4, a.clone()), (5, b.clone())]),
        names(&[(1, "boot"), (4, "root"), (5, "a"), (6, "b")])
    );
    assert_eq!(
        merge(&[(6, a), (9, b)]),
        names(&[(1, "boot"), (4, "root"), (6, "a"), (9, "b")])
    );
}

#[test]
fn partitions_that_clash_with_the_images_are_refused() {
    let image = table(&[(1, entry(2048, 4095, 1, "boot"))]);
    let merge = |e: Entry| saved(&[(5, e)]).merge(&image).unwrap_err();
    assert!(matches!(
        merge(entry(4000, 5000, 2, "x")),
        SavedError::Restore(GptError::Overlap {
            first: 1,
            second: 5
        })
    ));
    assert!(matches!(
        merge(entry(5000, 6000, 1, "x")),
        SavedError::Restore(GptError::DuplicateGuid {
            first: 1,
            second: 5
        })
    ));
    assert!(matches!(
        merge(entry(5000, 99_999, 2, "x")),
        SavedError::Restore(GptError::Outside { number: 5 })
    ));
}

#[test]
fn the_first_kept_partition_is_the_limit_of_the_image() {
    let keep = saved(&[
        (1, entry(9000, 9999, 1, "b")),
        (2, entry(4096, 8191, 2, "a")),
    ]);
    assert_eq!(keep.start(), Some(4096 * 512));
    assert_eq!(saved(&[]).start(), None);
}
