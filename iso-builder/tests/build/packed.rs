//! Builds from packed images: checked by the chunk manifest beside them, which is published too.

use std::fs;

use embed::digest::Sha256Digest;
use installer::cancel::Cancel;
use installer::observe::Silent;
use installer::pack_image::{self, PackRequest};

use super::Case;
use super::image::Recipe;

/// Replaces the image by its packed form, all signed by one key; the names of the four files.
fn pack(case: &mut Case) -> [String; 4] {
    let request = PackRequest {
        raw: case.image.clone(),
        dir: case.dir.path().to_owned(),
        chunk_size: 1 << 20,
        level: 1,
        key: None,
    };
    let made = pack_image::pack(&request, &Silent, &Cancel::new()).unwrap();
    case.signer.sign(&made.manifest);
    case.keys = case.signer.sign(&made.image);
    case.image = made.image;
    [
        "disk.chunks.json",
        "disk.chunks.json.sig",
        "disk.raw.zst",
        "disk.raw.zst.sig",
    ]
    .map(str::to_owned)
}

#[test]
fn a_packed_image_is_checked_by_its_list_and_published_with_it() {
    let mut case = Case::new(&Recipe::default());
    let raw = fs::read(&case.image).unwrap();
    let names = pack(&mut case);
    // The list is signed; that is enough.
    fs::remove_file(case.dir.path().join("disk.raw.zst.sig")).unwrap();
    let manifest = case.built(&[]);
    assert_eq!(manifest.source.sha256, Sha256Digest::of(&raw));
    let image = manifest.image.unwrap();
    assert_eq!(
        (image.artifact.file, image.signature),
        (names[2].clone(), None)
    );
    let list = image.chunks.unwrap();
    assert_eq!(
        (list.file, list.signature),
        (names[0].clone(), Some(names[1].clone()))
    );
    for name in &names[..3] {
        assert!(case.read(name) == fs::read(case.dir.path().join(name)).unwrap());
    }
}

#[test]
fn a_packed_image_that_is_not_what_its_list_says_is_refused() {
    let mut case = Case::new(&Recipe::default());
    let names = pack(&mut case);
    let path = case.dir.path().join(&names[2]);
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    bytes[100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("chunk 0, from byte 0 of the image"),
        "{stderr}"
    );
    // The seek table: other programs read it, and the file is published.
    let mut bytes = good;
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("every chunk is good, and what lies between"),
        "{stderr}"
    );
    assert!(
        stderr.contains("\nhint:  fetch image and chunk manifest again"),
        "{stderr}"
    );
}
