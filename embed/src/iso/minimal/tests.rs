//! Minimal images made by xorriso, described by a full one, taken out again; and descriptions that
//! are hostile.

use std::io::Cursor;
use std::path::Path;

use super::*;
use crate::iso::sample::{image, write};
use crate::iso::{IsoReader, apply_in_place};

type Image = IsoReader<Cursor<Vec<u8>>>;

fn open(bytes: &[u8]) -> Image {
    IsoReader::open(Cursor::new(bytes.to_vec())).unwrap()
}

/// A full image and the minimal one to it.
fn images(test: &str, edit: impl Fn(&Path)) -> Option<(Vec<u8>, Vec<u8>)> {
    let kernel: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let both = |root: &Path| {
        write(root, "images/pxeboot/vmlinuz", &kernel);
        write(root, "empty", "");
        std::fs::hard_link(root.join("images/pxeboot/vmlinuz"), root.join("link")).unwrap();
    };
    let full = image(test, |root| {
        both(root);
        write(root, "images/pxeboot/rootfs.img", vec![7; 300_000]);
        write(root, "coreos/miniso.dat", vec![0; 32 * 1024]);
    })?;
    let minimal = image(test, |root| {
        both(root);
        edit(root);
    })?;
    Some((full, minimal))
}

fn pack(full: &[u8], minimal: &[u8]) -> Result<Packed, MinimalError> {
    MinimalIso::pack(&mut open(full), &mut open(minimal), "1.2.3")
}

#[test]
fn what_was_packed_comes_out_of_the_full_image() {
    let test = "what_was_packed_comes_out_of_the_full_image";
    let edit = |root: &Path| {
        write(
            root,
            "coreos/features.json",
            "[other text, same length, here.]     ",
        )
    };
    let Some((mut full, minimal)) = images(test, |root| {
        let length = std::fs::read(root.join("coreos/features.json"))
            .unwrap()
            .len();
        edit(root);
        let path = root.join("coreos/features.json");
        let mut text = std::fs::read(&path).unwrap();
        text.resize(length, b' ');
        std::fs::write(path, text).unwrap();
    }) else {
        return;
    };
    let packed = pack(&full, &minimal).unwrap();
    assert!(packed.shared >= 400_000 && packed.kept < minimal.len() as u64);
    let region = packed.description.store(&mut open(&full)).unwrap();
    apply_in_place(Cursor::new(&mut full), &[region]).unwrap();

    let stored = open(&full).read("coreos/miniso.dat", 1 << 20).unwrap();
    assert_eq!(stored.len(), 32 * 1024);
    let description = MinimalIso::read(&stored).unwrap();
    assert_eq!(description, packed.description);
    let mut out = Vec::new();
    description.unpack(Cursor::new(&full), &mut out).unwrap();
    assert!(out == minimal);

    // Damage in a file that both have.
    let place = open(&full).existing("images/pxeboot/vmlinuz").unwrap();
    full[usize::try_from(place.offset).unwrap()] ^= 1;
    let error = description
        .unpack(Cursor::new(&full), io::sink())
        .unwrap_err();
    assert!(matches!(error, MinimalError::Digest { .. }), "{error:?}");
    let half = &full[..full.len() / 2];
    let error = description
        .unpack(Cursor::new(half), io::sink())
        .unwrap_err();
    assert!(matches!(error, MinimalError::Io(_)), "{error:?}");
}

#[test]
fn images_that_do_not_belong_together_are_refused() {
    let test = "images_that_do_not_belong_together_are_refused";
    let Some((full, minimal)) = images(test, |root| write(root, "other", "x")) else {
        return;
    };
    let error = pack(&full, &minimal).unwrap_err();
    assert!(
        matches!(&error, MinimalError::Missing { path } if path == "OTHER"),
        "{error:?}"
    );
    let error = pack(&full, &full).unwrap_err();
    assert!(
        matches!(error, MinimalError::HoldsItself { .. }),
        "{error:?}"
    );
    let Some((full, minimal)) = images(test, |root| write(root, "empty", "x")) else {
        return;
    };
    let error = pack(&full, &minimal).unwrap_err();
    assert!(
        matches!(&error, MinimalError::Length { path } if path == "EMPTY"),
        "{error:?}"
    );
    let error = pack(&minimal, &minimal)
        .unwrap()
        .description
        .store(&mut open(&minimal));
    assert!(
        matches!(error, Err(MinimalError::Image(IsoError::NoFile(_)))),
        "{error:?}"
    );
}

#[test]
fn a_description_that_does_not_fit_is_refused() {
    let test = "a_description_that_does_not_fit_is_refused";
    let Some((_, minimal)) = images(test, |_| ()) else {
        return;
    };
    let edit = |root: &Path| {
        write(
            root,
            "images/pxeboot/vmlinuz",
            (0..100_000u32)
                .flat_map(u32::to_le_bytes)
                .collect::<Vec<u8>>(),
        );
        std::fs::hard_link(root.join("images/pxeboot/vmlinuz"), root.join("link")).unwrap();
        write(root, "empty", "");
        write(root, "coreos/miniso.dat", "small");
    };
    let full = image(test, edit).unwrap();
    let error = pack(&full, &minimal)
        .unwrap()
        .description
        .store(&mut open(&full));
    assert!(
        matches!(error, Err(MinimalError::TooLarge { room: 5, .. })),
        "{error:?}"
    );
}

/// The description of two pieces, in the bytes that upstream's program writes.
const DESCRIPTION: &[u8] = b"MINISO\0\0\x01\x060.27.0\x02\
    \x10\xfb\xfb\x00\x05\
    \xfb\x2c\x01\xfc\x00\x00\x01\x00\xfd\x01\x00\x00\x00\x00\x00\x00\x00\
    \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
    \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
    \x02xz";

#[test]
fn descriptions_are_read_and_written_in_upstreams_form() {
    let description = MinimalIso::read(&[DESCRIPTION, b"\0\0 anything"].concat()).unwrap();
    let piece = |minimal, full, length| Piece {
        minimal,
        full,
        length,
    };
    let want = MinimalIso {
        made_by: "0.27.0".into(),
        pieces: vec![piece(16, 251, 5), piece(300, 65_536, 1)],
        digest: Sha256Digest([1; 32]),
        packed: b"xz".to_vec(),
    };
    assert_eq!(description, want);
    // The number 1 in nine bytes is read, and written in one.
    let long = b"\xfd\x01\x00\x00\x00\x00\x00\x00\x00";
    let at = DESCRIPTION
        .windows(9)
        .position(|window| window == long)
        .unwrap();
    let short = [&DESCRIPTION[..at], b"\x01", &DESCRIPTION[at + 9..]].concat();
    assert_eq!(want.to_bytes().unwrap(), short);
}

#[test]
fn hostile_descriptions_are_refused() {
    for length in 0..DESCRIPTION.len() {
        let error = MinimalIso::read(&DESCRIPTION[..length]).unwrap_err();
        assert!(
            matches!(error, MinimalError::Format(_)),
            "{length}: {error:?}"
        );
    }
    let with = |at: usize, bytes: &[u8]| {
        let mut data = DESCRIPTION.to_vec();
        data.splice(at..=at, bytes.iter().copied());
        MinimalIso::read(&data).unwrap_err().to_string()
    };
    let format = |why: &str| format!("not the description of a minimal ISO: {why}");
    assert_eq!(with(0, b"m"), format("it starts with other bytes"));
    assert_eq!(
        with(8, b"\x02"),
        "description of a minimal ISO has version 2, made by 0.27.0; 1 is known"
    );
    assert_eq!(with(9, b"\xfe"), format("a number is too large"));
    assert_eq!(
        with(9, &[0xfd, 255, 255, 255, 255, 255, 255, 255, 255]),
        format("it is cut short")
    );
    assert_eq!(
        with(16, &[0xfc, 255, 255, 255, 255]),
        format("it is cut short")
    );
    assert_eq!(
        with(17, &[0xfd, 0, 0, 0, 0, 1, 0, 0, 0]),
        format("a number is too large")
    );
    // Two pieces out of order, none, and one that makes the image larger than any.
    assert_eq!(with(17, &[0xfb, 0xff, 0xff]), format("files overlap"));
    let none = [&DESCRIPTION[..16], b"\0", &[0; 33]].concat();
    let error = MinimalIso::read(&none).unwrap_err();
    assert_eq!(
        error.to_string(),
        format("the images have no file in common")
    );
    let far = MinimalIso::read(DESCRIPTION).unwrap();
    let error = far
        .unpack(Cursor::new(vec![0; 300 * 2048]), io::sink())
        .unwrap_err();
    assert_eq!(error.to_string(), format("it is larger than the full ISO"));
}

#[test]
fn compressed_bytes_cannot_grow_beyond_the_full_image() {
    let zeros = vec![0; 1 << 20];
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(&zeros).unwrap();
    let bomb = MinimalIso {
        made_by: String::new(),
        pieces: vec![Piece {
            minimal: 0,
            full: 0,
            length: 1,
        }],
        digest: Sha256Digest([0; 32]),
        packed: encoder.finish().unwrap(),
    };
    let mut out = Vec::new();
    let error = bomb
        .unpack(Cursor::new(vec![0; 4096]), &mut out)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "not the description of a minimal ISO: it is larger than the full ISO"
    );
    assert!(out.len() <= 4097);
}
