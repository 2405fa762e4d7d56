//! Bundles that somebody has changed, by the hundred: each is refused, and nothing of it is left.

use embed::manifest::{Artifact, FORMAT, ImageArtifact};
use embed::medium::LiveImage;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A bundle whose signatures are none.
fn bundle() -> Vec<u8> {
    let artifact = |file: &str| Artifact {
        file: file.to_owned(),
        size: file.len() as u64,
        sha256: embed::digest::Sha256Digest::of(file.as_bytes()),
    };
    let manifest = Manifest {
        format: FORMAT,
        source: LiveImage {
            name: "stable".to_owned(),
            version: "1".to_owned(),
            architecture: "x86_64".to_owned(),
            sector_size: 512,
            size: 1,
            sha256: embed::digest::Sha256Digest::of(b"x"),
        },
        kargs: Vec::new(),
        kernel: artifact("kernel"),
        initramfs: artifact("initramfs"),
        rootfs: artifact("rootfs"),
        iso: None,
        image: Some(ImageArtifact {
            artifact: artifact("disk"),
            signature: Some("disk.sig".to_owned()),
            chunks: None,
        }),
    };
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Builder::new(tempfile::tempfile().unwrap());
    let mut add = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        append(&mut tar, name, &path).unwrap();
    };
    add(MANIFEST, manifest.to_json().as_bytes());
    for name in files(&manifest) {
        add(&name, name.as_bytes());
    }
    let mut bytes = Vec::new();
    let mut file = tar.into_inner().unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn taken_in(bytes: &[u8]) -> MirrorError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle.tar");
    std::fs::write(&path, bytes).unwrap();
    let mirror = dir.path().join("mirror");
    let names = ("stable".parse().unwrap(), PlainName::x86_64());
    let shelf = Shelf::open(&mirror, names.0, names.1).unwrap();
    let silent = installer::observe::Silent;
    let error = import(&shelf, &path, &Keyring::empty(), &silent, &Cancel::new()).unwrap_err();
    let left = std::fs::read_dir(shelf.dir()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"], "{error:?}");
    let around = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(around, 2, "{error:?}");
    error
}

#[test]
fn a_bundle_that_nobody_vouches_for_is_refused_when_all_else_is_right() {
    let error = taken_in(&bundle());
    let first = matches!(&error, MirrorError::Verify { file, .. } if file.as_str() == "kernel");
    assert!(first, "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_bundle_that_was_changed_anyhow_is_refused_and_leaves_nothing(
        edits in vec((any::<Index>(), any::<u8>()), 0..6),
        end in any::<Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = bundle();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        taken_in(&bytes);
    }
}
