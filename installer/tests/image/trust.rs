//! Signatures: whose, over what, and what is left when they are not good.

use embed::digest::Sha256Digest;
use installer::install::{DiskState, InstallCause, InstallError};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::verify::{KeyOrigin, Keyring, SignaturePolicy, Trust, VerifyError, list_keys};

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};

const DISK: usize = 64 * 1024 * 1024;

fn verify_error(error: &InstallError) -> &VerifyError {
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Verify(error))) => error,
        InstallCause::Verify(error) => error,
        other => panic!("not about trust: {other:?}"),
    }
}

fn assert_untouched(error: &InstallError, disk: &LoopDisk) {
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));
}

#[test]
fn an_absent_signature_does_not_touch_the_disk_unless_tolerated() {
    let disk = or_skip!("absent_signature", LoopDisk::new(DISK, 512));
    let raw = raw(512);
    let published = Published::new("os.raw", &raw, None, &Signer::new());
    let error = run(request(&published, &disk)).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::NoSignature { .. }),
        "{error:?}"
    );
    assert_untouched(&error, &disk);

    let mut insecure = request(&published, &disk);
    insecure.policy = SignaturePolicy::TolerateAbsent;
    assert_eq!(run(insecure).unwrap().trust, Trust::InsecureChoice);
    assert!(disk.bytes()[..SIZE] == raw[..]);
}

#[test]
fn a_bad_signature_is_refused_even_if_an_absent_one_would_be_tolerated() {
    let disk = or_skip!("bad_signature_tolerant", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(&bytes[1..])), &signer);
    let mut insecure = request(&published, &disk);
    insecure.policy = SignaturePolicy::TolerateAbsent;
    let error = run(insecure).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::BadSignature { .. }),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_flipped_bit_in_a_signed_raw_image_leaves_the_disk_unbootable() {
    let disk = or_skip!("flipped_bit", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let mut bytes = raw(512);
    let signature = signer.sign(&bytes);
    bytes[SIZE - 3 * 1024 * 1024] ^= 1;
    let published = Published::new("os.raw", &bytes, Some(&signature), &signer);
    let error = run(request(&published, &disk)).unwrap_err();
    match verify_error(&error) {
        VerifyError::BadSignature { bytes, .. } => assert_eq!(*bytes, SIZE as u64),
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_signature_by_a_key_outside_the_keyring_names_the_key_before_the_disk_is_touched() {
    let disk = or_skip!("unknown_key", LoopDisk::new(DISK, 512));
    let (signer, other) = (Signer::new(), Signer::new());
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(&bytes)), &other);
    let error = run(request(&published, &disk)).unwrap_err();
    match verify_error(&error) {
        VerifyError::UnknownKey { key, known, .. } => {
            assert_eq!(*known, 1);
            assert!(
                key.len() >= 16 && key.bytes().all(|b| b.is_ascii_hexdigit()),
                "{key}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_untouched(&error, &disk);
}

#[test]
fn a_signature_by_an_expired_key_is_refused() {
    let disk = or_skip!("expired_key", LoopDisk::new(DISK, 512));
    let signer = Signer::expired();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new(
        "os.zst",
        &bytes,
        Some(&signer.sign_in_2020(&bytes)),
        &signer,
    );
    let error = run(request(&published, &disk)).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::ExpiredKey { .. }),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_signature_by_a_revoked_key_is_refused() {
    let disk = or_skip!("revoked_key", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign(&bytes);
    signer.revoke();
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    let error = run(request(&published, &disk)).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::RevokedKey { .. }),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_signature_file_that_is_none_does_not_touch_the_disk() {
    let disk = or_skip!("no_signature", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(b"<html>not here</html>"), &signer);
    let error = run(request(&published, &disk)).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::NotASignature { .. }),
        "{error:?}"
    );
    assert_untouched(&error, &disk);
}

#[test]
fn a_key_file_without_key_does_not_touch_the_disk() {
    let disk = or_skip!("no_key", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = raw(512);
    let published = Published::new("os.raw", &bytes, Some(&signer.sign(&bytes)), &signer);
    let file = published.dir().join("empty.gpg");
    std::fs::write(&file, "nothing").unwrap();
    let mut request = request(&published, &disk);
    request.keyring = Keyring::empty().with_file(&file);
    let error = run(request).unwrap_err();
    match verify_error(&error) {
        VerifyError::NoKey { origin } => assert_eq!(*origin, KeyOrigin::File(file)),
        other => panic!("{other:?}"),
    }
    assert_untouched(&error, &disk);
}

#[test]
fn a_digest_that_the_user_gives_is_enough_without_a_signature() {
    let disk = or_skip!("image_digest", LoopDisk::new(DISK, 512));
    let raw = raw(512);
    let bytes = compress(&raw, "zst");
    let published = Published::new("os.zst", &bytes, None, &Signer::new());
    let digest = Sha256Digest::of(&bytes);
    let mut named = request(&published, &disk);
    named.digest = Some(digest);
    assert_eq!(run(named).unwrap().trust, Trust::Digest(digest));
    assert!(disk.bytes()[..SIZE] == raw[..]);
}

#[test]
fn another_digest_than_the_users_leaves_the_disk_unbootable_whatever_the_signature() {
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign(&bytes);
    for signature in [None, Some(signature.as_slice())] {
        let disk = or_skip!("image_digest_wrong", LoopDisk::new(DISK, 512));
        let published = Published::new("os.zst", &bytes, signature, &signer);
        let mut named = request(&published, &disk);
        named.policy = SignaturePolicy::TolerateAbsent;
        named.digest = Some(Sha256Digest::of(b"other"));
        let error = run(named).unwrap_err();
        match verify_error(&error) {
            VerifyError::Digest { want, got, .. } => {
                assert_eq!(*want, Sha256Digest::of(b"other"));
                assert_eq!(*got, Sha256Digest::of(&bytes));
            }
            other => panic!("{other:?}"),
        }
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}

#[test]
fn the_users_digest_does_not_make_up_for_a_bad_signature() {
    let disk = or_skip!("image_digest_bad_sig", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(b"other")), &signer);
    let mut named = request(&published, &disk);
    named.digest = Some(Sha256Digest::of(&bytes));
    let error = run(named).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::BadSignature { .. }),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_signature_that_has_expired_is_refused() {
    let disk = or_skip!("expired_signature", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign_for_a_second(&bytes);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    let error = run(request(&published, &disk)).unwrap_err();
    assert!(
        matches!(verify_error(&error), VerifyError::ExpiredSignature { .. }),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn keys_are_listed_with_their_state_and_file() {
    let (good, expired, revoked) = (Signer::new(), Signer::expired(), Signer::new());
    revoked.revoke();
    let dir = tempfile::tempdir().unwrap();
    for (name, signer) in [("a", &good), ("b", &expired), ("c", &revoked)] {
        let key = signer.public_key(dir.path());
        std::fs::rename(key, dir.path().join(name)).unwrap();
    }
    let keys = list_keys(&Keyring::empty().with_named_dir(dir.path())).unwrap();
    let states: Vec<_> = keys
        .iter()
        .map(|key| (key.expires.as_deref(), key.expired, key.revoked))
        .collect();
    assert_eq!(
        states,
        [
            (None, false, false),
            (Some("2020-01-02"), true, false),
            (None, false, true)
        ]
    );
    assert_eq!(keys[1].origin, KeyOrigin::File(dir.path().join("b")));
    assert_eq!(keys[0].users, ["Image Test <test@example.com>"]);
    assert_eq!(keys[0].fingerprint.len(), 40);
}

/// As their owners publish them.
#[test]
fn the_built_in_keys_are_those_of_fedora_and_red_hat() {
    let keys = list_keys(&Keyring::built_in()).unwrap();
    let found: Vec<_> = keys
        .iter()
        .map(|key| (key.fingerprint.as_str(), key.users[0].as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "B0F4950458F69E1150C6C5EDC8AC4916105EF944",
                "Fedora (42) <fedora-42-primary@fedoraproject.org>"
            ),
            (
                "C6E7F081CF80E13146676E88829B606631645531",
                "Fedora (43) <fedora-43-primary@fedoraproject.org>"
            ),
            (
                "36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6",
                "Fedora (44) <fedora-44-primary@fedoraproject.org>"
            ),
            (
                "4F50A6114CD5C6976A7F1179655A4B02F577861E",
                "Fedora (45) <fedora-45-primary@fedoraproject.org>"
            ),
            (
                "D924B10D3E810DABDD8B56B596E7E91491211FCE",
                "Fedora (46) <fedora-46-primary@fedoraproject.org>"
            ),
            (
                "567E347AD0044ADE55BA8A5F199E2F91FD431D51",
                "Red Hat, Inc. (release key 2) <security@redhat.com>"
            )
        ]
    );
    assert!(keys.iter().all(|key| !key.expired && !key.revoked));
}
