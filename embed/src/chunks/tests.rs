//! What a manifest must be like, one fault at a time.

use super::*;

const MIB: u32 = 1024 * 1024;

fn chunk(offset: u32, length: u32, frame_offset: u64, frame_length: u32) -> Chunk {
    Chunk {
        offset: offset.into(),
        length,
        sha256: Sha256Digest::of(b"raw"),
        frame_offset,
        frame_length,
        frame_sha256: Sha256Digest::of(b"frame"),
    }
}

/// Data, two chunks of zeroes, data that ends in the middle of a chunk.
fn sample() -> Parts {
    Parts {
        chunk_size: MIB,
        image: RawImage {
            size: u64::from(3 * MIB + 5),
            sha256: Sha256Digest::of(b"image"),
            sector_size: Some(512),
        },
        file: PackedFile {
            size: 1000,
            sha256: Sha256Digest::of(b"file"),
        },
        chunks: vec![chunk(0, MIB, 0, 100), chunk(3 * MIB, 5, 300, 14)],
        zeroes: vec![Zeroes {
            offset: MIB.into(),
            length: (2 * MIB).into(),
        }],
    }
}

fn refusal(spoil: impl FnOnce(&mut Parts)) -> String {
    let mut parts = sample();
    spoil(&mut parts);
    Manifest::new(parts).unwrap_err().to_string()
}

#[test]
fn a_manifest_is_read_back_as_written_and_gives_its_parts_in_order() {
    let manifest = Manifest::new(sample()).unwrap();
    let json = manifest.to_json().unwrap();
    assert!(json.ends_with(b"}\n"));
    assert_eq!(Manifest::parse(&json).unwrap(), manifest);
    let places: Vec<_> = manifest.parts().map(|p| (p.offset(), p.end())).collect();
    let mib = u64::from(MIB);
    assert_eq!(places, [(0, mib), (mib, 3 * mib), (3 * mib, 3 * mib + 5)]);
    for part in manifest.parts() {
        assert_eq!(manifest.part_at(part.offset()), Some(part));
        assert_eq!(manifest.part_at(part.end() - 1), None);
    }
    assert_eq!(manifest.sector_size(), Some(SectorSize::B512));
}

#[test]
fn an_image_of_nothing_has_no_parts() {
    let mut parts = sample();
    (parts.image.size, parts.chunks, parts.zeroes) = (0, vec![], vec![]);
    assert_eq!(Manifest::new(parts).unwrap().parts().count(), 0);
}

#[test]
fn parts_that_do_not_cover_the_image_on_the_grid_are_refused() {
    let mib = u64::from(MIB);
    for (error, said) in [
        (
            refusal(|p| p.chunks[0].offset = mib),
            "the part at byte 1048576 of the image should begin at byte 0",
        ),
        (
            refusal(|p| p.zeroes[0].length = mib),
            "the part at byte 3145728 of the image should begin at byte 2097152",
        ),
        (
            refusal(|p| p.zeroes.clear()),
            "the part at byte 3145728 of the image should begin at byte 1048576",
        ),
        (
            refusal(|p| p.chunks.swap(0, 1)),
            "the part at byte 1048576 of the image should begin at byte 0",
        ),
        (
            refusal(|p| p.chunks[0].length = MIB - 1),
            "the part at byte 0 of the image has a wrong length of 1048575 bytes",
        ),
        (
            refusal(|p| p.chunks[0].length = 2 * MIB),
            "the part at byte 0 of the image has a wrong length of 2097152 bytes",
        ),
        (
            refusal(|p| p.zeroes[0].length = u64::MAX),
            "the part at byte 1048576 of the image has a wrong length of 18446744073709551615 bytes",
        ),
        (
            refusal(|p| p.chunks[1].length = 0),
            "the part at byte 3145728 of the image has a wrong length of 0 bytes",
        ),
        (
            refusal(|p| p.chunks.truncate(1)),
            "the parts end at byte 3145728 of an image of 3145733 bytes",
        ),
    ] {
        assert_eq!(error, said);
    }
}

#[test]
fn frames_that_overlap_leave_the_file_or_are_too_long_are_refused() {
    let said = |offset: u64, frame: u64, length: u32| {
        format!(
            "the frame of the chunk at byte {offset} cannot be the {length} bytes at byte {frame} of the packed file"
        )
    };
    let third = u64::from(3 * MIB);
    assert_eq!(
        refusal(|p| p.chunks[1].frame_offset = 99),
        said(third, 99, 14)
    );
    assert_eq!(
        refusal(|p| p.chunks[1].frame_offset = 987),
        said(third, 987, 14)
    );
    assert_eq!(
        refusal(|p| p.chunks[1].frame_offset = u64::MAX),
        said(third, u64::MAX, 14)
    );
    assert_eq!(refusal(|p| p.chunks[0].frame_length = 0), said(0, 0, 0));
    assert_eq!(
        refusal(|p| {
            p.file.size = u64::MAX;
            p.chunks[0].frame_length = 2 * MIB;
        }),
        said(0, 0, 2 * MIB)
    );
}

#[test]
fn sizes_out_of_range_are_refused() {
    let range = "the size must be a power of two, 1048576 to 33554432";
    for size in [0, MIB / 2, MIB + 1, 3 * MIB, 64 * MIB] {
        assert_eq!(
            refusal(|p| p.chunk_size = size),
            format!("chunks of {size} bytes; {range}")
        );
    }
    assert_eq!(
        refusal(|p| p.image.sector_size = Some(520)),
        "sectors of 520 bytes; there are 512 and 4096"
    );
}

#[test]
fn other_documents_versions_and_fields_are_told_apart() {
    let parse = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(parse("not json"), ManifestError::Syntax(_)));
    assert!(matches!(parse("{}"), ManifestError::Syntax(_)));
    assert_eq!(
        parse(r#"{"format":"other","version":1}"#).to_string(),
        "this is no chunk manifest but `other`"
    );
    assert_eq!(
        parse(r#"{"format":"coreos-chunks","version":2,"news":1}"#).to_string(),
        "the chunk manifest has version 2; this program reads version 1"
    );
    let json = Manifest::new(sample()).unwrap().to_json().unwrap();
    let text = String::from_utf8(json).unwrap();
    for (from, to) in [
        ("\"chunk-size\"", "\"more\":1,\"chunk-size\""),
        ("\"chunk-size\"", "\"version\":1,\"chunk-size\""),
        ("\"length\":5", "\"length\":-5"),
        ("\"length\":5", "\"length\":4294967296"),
    ] {
        let changed = text.replacen(from, to, 1);
        match parse(&changed) {
            ManifestError::Syntax(_) => {}
            other => panic!("{to}: {other}"),
        }
    }
}

#[test]
fn a_manifest_beyond_the_limit_is_not_looked_at() {
    let huge = vec![b' '; usize::try_from(MAX_MANIFEST).unwrap() + 1];
    assert!(matches!(
        Manifest::parse(&huge).unwrap_err(),
        ManifestError::TooLarge
    ));
}
