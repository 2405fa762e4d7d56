//! Unpacking an image to a sparse file.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::observe::Silent;
use crate::source::Signature;
use crate::verify::Trust;

fn stream(bytes: Vec<u8>) -> ImageStream {
    ImageStream {
        length: Some(bytes.len() as u64),
        reader: Box::new(io::Cursor::new(bytes)),
        name: "image".into(),
        signature: Signature::Absent {
            looked_at: "nowhere".into(),
            status: None,
        },
        digest: None,
        sector_size: None,
        remote: None,
    }
}

fn unpack_to(
    out: &File,
    bytes: Vec<u8>,
    policy: SignaturePolicy,
) -> Result<(Verified, ImageFacts), ImageError> {
    unpack_verified(
        stream(bytes),
        policy,
        &Keyring::empty(),
        out,
        &Silent,
        &Cancel::new(),
    )
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
            size: raw.len() as u64,
            sha256: Sha256Digest::of(&raw),
            sector_size: Some(SectorSize::B4096),
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
