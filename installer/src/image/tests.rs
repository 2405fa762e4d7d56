//! Unpacking an image to a sparse file.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::observe::Silent;
use crate::source::ManifestPlace;
use crate::verify::{Keyring, SignaturePolicy, Trust};

fn unpack_to(
    out: &File,
    bytes: Vec<u8>,
    policy: SignaturePolicy,
) -> Result<(Verified, ImageFacts), ImageError> {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    std::fs::write(&image, bytes).unwrap();
    let terms = Terms {
        manifest: &ManifestPlace::Beside,
        signature: SignaturePlace::Beside,
        digest: None,
        policy,
        keyring: &Keyring::empty(),
    };
    let image = Location::File(image);
    let (verified, mut facts) = unpack_verified(&image, &terms, out, &Silent, &Cancel::new())?;
    assert_eq!(facts.name, image.to_string());
    facts.name = String::new();
    Ok((verified, facts))
}

#[test]
fn an_unpacked_image_is_sparse_complete_and_described() {
    let mut raw = vec![0u8; 5 * 1024 * 1024 + 100];
    raw[4096..4104].copy_from_slice(b"EFI PART");
    raw[3 * 1024 * 1024] = 1;
    let compressed = zstd::encode_all(&raw[..], 1).unwrap();
    let mut out = tempfile::tempfile().unwrap();
    let (verified, facts) =
        unpack_to(&out, compressed.clone(), SignaturePolicy::TolerateAbsent).unwrap();
    assert_eq!(
        facts,
        ImageFacts {
            name: String::new(),
            size: raw.len() as u64,
            sha256: Sha256Digest::of(&raw),
            sector_size: Some(SectorSize::B4096),
            list: None,
        }
    );
    assert_eq!(verified.trust(), &Trust::InsecureChoice);
    assert_eq!(verified.source_bytes(), compressed.len() as u64);
    let mut written = Vec::new();
    out.read_to_end(&mut written).unwrap();
    assert!(written == raw);
    assert!(
        out.metadata().unwrap().blocks() * 512 < 1024 * 1024,
        "not sparse"
    );
}

#[test]
fn an_unsigned_image_is_refused_before_anything_is_written() {
    let out = tempfile::tempfile().unwrap();
    let error = unpack_to(&out, vec![1; 100], SignaturePolicy::Require).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::Verify(crate::verify::VerifyError::NoSignature { .. })
        ),
        "{error:?}"
    );
    assert_eq!(out.metadata().unwrap().len(), 0);
}
