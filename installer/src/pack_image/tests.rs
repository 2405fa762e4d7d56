//! What packing makes of an image, read back by others' and by our own code.

use std::io::Read as _;

use embed::chunks::Part;
use embed::digest::Sha256Digest;

use super::*;
use crate::observe::Silent;

const MIB: usize = 1024 * 1024;

/// Three chunks of data that compresses badly, five of zeroes, a short one of data.
fn raw() -> Vec<u8> {
    let mut noise = 0x2545_f491_4f6c_dd1du64;
    let mut bytes = vec![0u8; 8 * MIB + 12345];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if !(3 * MIB..8 * MIB).contains(&at) {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise.to_le_bytes()[0] & 0x1f;
        }
    }
    bytes[4096..4104].copy_from_slice(b"EFI PART");
    bytes
}

fn request(dir: &Path, raw: &[u8]) -> PackRequest {
    std::fs::write(dir.join("os.raw"), raw).unwrap();
    PackRequest {
        raw: dir.join("os.raw"),
        dir: dir.to_owned(),
        chunk_size: u32::try_from(MIB).unwrap(),
        level: 3,
        key: None,
    }
}

fn run(request: &PackRequest) -> Result<Packed, PackError> {
    pack(request, &Silent, &Cancel::new())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_packed_image_is_ordinary_zstd_and_the_manifest_describes_every_byte_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let raw = raw();
    let packed = run(&request(dir.path(), &raw)).unwrap();
    assert_eq!(
        names(dir.path()),
        ["os.chunks.json", "os.raw", "os.raw.zst"]
    );
    let file = std::fs::read(&packed.image).unwrap();
    assert!(zstd::decode_all(&file[..]).unwrap() == raw);

    let manifest = Manifest::parse(&std::fs::read(&packed.manifest).unwrap()).unwrap();
    assert_eq!(manifest.image().size, raw.len() as u64);
    assert_eq!(manifest.image().sha256, Sha256Digest::of(&raw));
    assert_eq!(manifest.image().sector_size, Some(4096));
    assert_eq!(manifest.file().size, file.len() as u64);
    assert_eq!(manifest.file().sha256, Sha256Digest::of(&file));
    let mut kinds = String::new();
    for part in manifest.parts() {
        let place = |at: u64| usize::try_from(at).unwrap();
        let expected = &raw[place(part.offset())..place(part.end())];
        match part {
            Part::Zeroes(_) => {
                kinds.push('0');
                assert!(expected.iter().all(|byte| *byte == 0));
            }
            Part::Chunk(chunk) => {
                kinds.push('#');
                let frame = &file[place(chunk.frame_offset)..place(chunk.frame_end())];
                assert_eq!(Sha256Digest::of(frame), chunk.frame_sha256);
                assert_eq!(Sha256Digest::of(expected), chunk.sha256);
                let mut decoded = Vec::new();
                let decoder = zstd::Decoder::new(frame).unwrap();
                decoder.single_frame().read_to_end(&mut decoded).unwrap();
                assert!(decoded == expected);
            }
        }
    }
    assert_eq!(kinds, "###0#");
    assert_eq!(packed.zeroes, 5 * MIB as u64);
    assert_eq!((packed.chunks, packed.signed_by), (4, None));
}

#[test]
fn the_seek_table_gives_the_place_of_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let raw = raw();
    let packed = run(&request(dir.path(), &raw)).unwrap();
    let file = std::fs::read(&packed.image).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let end = file.len();
    assert_eq!(word(end - 4), 0x8f92_eab1);
    assert_eq!((file[end - 5], word(end - 9)), (0, 9));
    let table = end - 9 - 9 * 8;
    assert_eq!((word(table - 8), word(table - 4)), (0x184d_2a5e, 9 * 8 + 9));
    let (mut at, mut out) = (0, 0);
    for entry in 0..9 {
        let (packed, len) = (word(table + entry * 8), word(table + entry * 8 + 4));
        let decoded = zstd::decode_all(&file[at..at + packed]).unwrap();
        assert!(decoded == raw[out..out + len]);
        (at, out) = (at + packed, out + len);
    }
    assert_eq!((at, out), (table - 8, raw.len()));
}

#[test]
fn packing_again_gives_the_same_bytes() {
    let raw = raw();
    let bytes = || {
        let dir = tempfile::tempdir().unwrap();
        let packed = run(&request(dir.path(), &raw)).unwrap();
        (
            std::fs::read(packed.image).unwrap(),
            std::fs::read(packed.manifest).unwrap(),
        )
    };
    assert!(bytes() == bytes());
}

#[test]
fn an_image_of_zeroes_only_has_no_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let packed = run(&request(dir.path(), &vec![0; 3 * MIB + 1])).unwrap();
    assert_eq!((packed.chunks, packed.zeroes), (0, 3 * MIB as u64 + 1));
    let file = std::fs::read(&packed.image).unwrap();
    assert_eq!(zstd::decode_all(&file[..]).unwrap(), vec![0; 3 * MIB + 1]);
}

#[test]
fn what_is_no_raw_image_is_refused_and_leaves_nothing() {
    for (bytes, said) in [
        (&b"\xfd7zXZ\0\0\0"[..], "xz data"),
        (b"QFI\xfb\0\0\0\0", "a qcow2 image"),
        (b"", "an empty file"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        match run(&request(dir.path(), bytes)).unwrap_err() {
            PackError::NotRaw { what, .. } => assert_eq!(what, said),
            other => panic!("{other:?}"),
        }
        assert_eq!(names(dir.path()), ["os.raw"]);
    }
}

#[test]
fn nothing_is_overwritten() {
    for taken in [
        "os.raw.zst",
        "os.raw.zst.sig",
        "os.chunks.json",
        "os.chunks.json.sig",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let request = request(dir.path(), &raw());
        std::fs::write(dir.path().join(taken), "mine").unwrap();
        match run(&request).unwrap_err() {
            PackError::Write { path, source } => {
                assert_eq!(path, dir.path().join(taken));
                assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read(dir.path().join(taken)).unwrap(), b"mine");
        assert_eq!(names(dir.path()).len(), 2);
    }
}

#[test]
fn packing_can_be_stopped_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), &raw());
    let cancel = Cancel::new();
    cancel.cancel();
    let error = pack(&request, &Silent, &cancel).unwrap_err();
    assert!(matches!(error, PackError::Cancelled(_)), "{error:?}");
    assert_eq!(names(dir.path()), ["os.raw"]);
}
