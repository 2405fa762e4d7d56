//! Images that are packed and come out again, and osmet files that lie.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use super::*;
use crate::bincode::put;

/// Objects by name.
#[derive(Clone, Default)]
struct Store(BTreeMap<[u8; 32], Vec<u8>>);

impl Objects for Store {
    type Object = Cursor<Vec<u8>>;

    fn open(&self, object: Sha256Digest) -> io::Result<Self::Object> {
        let content = self.0.get(&object.0).ok_or(io::ErrorKind::NotFound)?;
        Ok(Cursor::new(content.clone()))
    }
}

impl Store {
    fn add(&mut self, content: &[u8]) -> Sha256Digest {
        let name = Sha256Digest::of(content);
        self.0.insert(name.0, content.to_vec());
        name
    }
}

const BLOCK: usize = 4096;
const SIZE: usize = 40 * BLOCK;

fn header() -> Header {
    Header {
        made_by: "1.2.3".into(),
        sector_size: 512,
        description: "Some OS 40".into(),
        architecture: "x86_64".into(),
    }
}

/// An image with two partitions, in which two objects lie: one in two extents, one that ends within a
/// block.
fn sample() -> (Vec<u8>, Vec<Partition>, Store) {
    let mut image: Vec<u8> = (0..SIZE).map(|i| (i / 7).to_le_bytes()[0]).collect();
    let mut store = Store::default();
    let (long, short) = ([0x11; 3 * BLOCK], [0x22; BLOCK + 100]);
    image[4 * BLOCK..6 * BLOCK].fill(0x11);
    image[8 * BLOCK..9 * BLOCK].fill(0x11);
    image[30 * BLOCK..32 * BLOCK].fill(0);
    image[30 * BLOCK..31 * BLOCK + 100].fill(0x22);
    let (long, short) = (store.add(&long), store.add(&short));
    let mapping = |logical: usize, physical: usize, length: usize, object| Mapping {
        logical: (logical * BLOCK) as u64,
        physical: (physical * BLOCK) as u64,
        length: (length * BLOCK) as u64,
        object,
    };
    let partition = |start: usize, end: usize, mappings| Partition {
        start: (start * BLOCK) as u64,
        end: (end * BLOCK) as u64,
        mappings,
    };
    let boot = partition(4, 12, vec![mapping(0, 0, 2, long), mapping(2, 4, 1, long)]);
    let root = partition(20, 36, vec![mapping(0, 10, 2, short)]);
    (image, vec![boot, root], store)
}

fn packed() -> (Vec<u8>, Vec<u8>, Store) {
    let (image, partitions, store) = sample();
    let osmet = Osmet::of_image(Cursor::new(&image), partitions).unwrap();
    assert_eq!(osmet.shared(), 5 * BLOCK as u64);
    let mut file = Vec::new();
    osmet
        .write(&header(), Cursor::new(&image), 0, &mut file)
        .unwrap();
    (image, file, store)
}

/// Unpacks with reads of `step` bytes.
fn unpack(file: &[u8], store: Store, step: usize) -> Result<Vec<u8>, OsmetError> {
    let mut input = file;
    let (_, osmet) = Osmet::read(&mut input)?;
    let mut unpacked = osmet.unpack(input, store)?;
    let (mut out, mut part) = (Vec::new(), vec![0; step]);
    loop {
        match unpacked.read(&mut part) {
            Ok(0) => return Ok(out),
            Ok(read) => out.extend_from_slice(&part[..read]),
            Err(error) => return Err(error.downcast().unwrap()),
        }
    }
}

#[test]
fn what_was_packed_comes_out_again() {
    let (image, file, store) = packed();
    assert_eq!(Header::read(file.as_slice()).unwrap(), header());
    for step in [1, 1000, SIZE * 2] {
        assert!(
            unpack(&file, store.clone(), step).unwrap() == image,
            "{step}"
        );
    }
    Osmet::verify(file.as_slice(), store).unwrap();
}

#[test]
fn an_object_that_is_gone_or_changed_is_noticed() {
    let (_, file, store) = packed();
    let mut gone = store.clone();
    let (name, _) = gone.0.pop_first().unwrap();
    let error = unpack(&file, gone, 1000).unwrap_err();
    assert!(
        matches!(&error, OsmetError::Object { object, source }
            if object.0 == name && source.kind() == io::ErrorKind::NotFound),
        "{error:?}"
    );
    let mut changed = store;
    changed.0.values_mut().for_each(|content| content[50] ^= 1);
    let error = Osmet::verify(file.as_slice(), changed).unwrap_err();
    assert!(matches!(error, OsmetError::Digest { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let (_, file, store) = packed();
    // Everywhere in the values, and at some places in the packed bytes.
    let places = (0..file.len()).filter(|length| *length < 300 || length % 23 == 0);
    for length in places {
        let error = unpack(&file[..length], store.clone(), SIZE).unwrap_err();
        assert!(
            matches!(error, OsmetError::Values(_) | OsmetError::Packed(_)),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn packed_bytes_that_are_too_few_or_too_many_are_refused() {
    let (image, partitions, store) = sample();
    let osmet = Osmet::of_image(Cursor::new(&image), partitions).unwrap();
    let write = |size: u64| {
        let told = Osmet {
            size,
            ..osmet.clone()
        };
        let mut file = told.to_bytes(&header());
        let mut rest = Vec::new();
        let whole = osmet.write(&header(), Cursor::new(&image), 0, &mut rest);
        whole.unwrap();
        file.extend_from_slice(&rest[osmet.to_bytes(&header()).len()..]);
        file
    };
    let error = unpack(&write(SIZE as u64 + 1), store.clone(), 1000).unwrap_err();
    assert!(
        matches!(&error, OsmetError::Packed(e) if e.kind() == io::ErrorKind::UnexpectedEof),
        "{error:?}"
    );
    let error = unpack(&write(SIZE as u64 - 1), store, 1000).unwrap_err();
    assert!(matches!(error, OsmetError::Layout(_)), "{error:?}");
}

#[test]
fn mappings_that_do_not_fit_are_refused() {
    let (_, partitions, _) = sample();
    let read = |edit: &dyn Fn(&mut Osmet)| {
        let mut osmet = Osmet {
            partitions: partitions.clone(),
            sha256: Sha256Digest([0; 32]),
            size: SIZE as u64,
        };
        edit(&mut osmet);
        match Osmet::read(osmet.to_bytes(&header()).as_slice()) {
            Err(OsmetError::Layout(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    for (edit, reason) in [
        (
            (&|o: &mut Osmet| o.partitions.clear()) as &dyn Fn(&mut Osmet),
            "it has no partitions",
        ),
        (&|o| o.partitions.swap(0, 1), "partitions overlap"),
        (&|o| o.partitions[0].end = 1, "partitions overlap"),
        (
            &|o| o.size = 30 * BLOCK as u64,
            "a partition lies beyond the image",
        ),
        (&|o| o.partitions[0].mappings.swap(0, 1), "extents overlap"),
        (
            &|o| o.partitions[1].mappings[0].length = u64::MAX,
            "an extent lies beyond its partition",
        ),
        (
            &|o| o.partitions[1].mappings[0].physical = 15 * BLOCK as u64,
            "an extent lies beyond its partition",
        ),
    ] {
        assert_eq!(read(edit), reason);
    }
}

#[test]
fn other_files_and_other_versions_are_refused() {
    let (_, file, _) = packed();
    let mut other = file.clone();
    other[0] = b'X';
    let error = Header::read(other.as_slice()).unwrap_err();
    assert_eq!(error.to_string(), "not an OSMET file");
    let mut newer = file;
    newer[8] = 2;
    let error = Header::read(newer.as_slice()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "incompatible OSMET file version 2, made by 1.2.3; 1 is known"
    );
}

#[test]
fn lists_that_claim_to_be_endless_take_no_memory() {
    let mut start = b"OSMET\0\0\0".to_vec();
    for number in [1, 0, 512, 0, 0] {
        put(&mut start, number);
    }
    let mut partitions = start.clone();
    put(&mut partitions, u64::MAX);
    let error = Osmet::read(partitions.as_slice()).unwrap_err();
    assert!(matches!(error, OsmetError::Layout(_)), "{error:?}");
    for number in [1, 0, 1, u64::MAX] {
        put(&mut start, number);
    }
    let endless = start.as_slice().chain(io::repeat(0));
    let error = Osmet::read(endless).unwrap_err();
    assert!(matches!(error, OsmetError::TooMany { .. }), "{error:?}");
}
