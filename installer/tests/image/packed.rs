//! Packed images from files: installed by their signed manifest, and every way in which file,
//! manifest and signatures may not belong together.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use embed::chunks::Manifest;
use embed::digest::Sha256Digest;
use installer::cancel::Cancel;
use installer::install::{DiskState, InstallCause, InstallError, Installed, Request};
use installer::observe::Silent;
use installer::pack_image::{PackRequest, pack};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Location, ManifestPlace, SourceError};
use installer::verify::{Keyring, SignaturePolicy, Trust, VerifyError};
use tempfile::TempDir;

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, SIZE, Signer, raw};
use crate::request::{or_skip, request, run};

pub(crate) const DISK: usize = 64 * 1024 * 1024;

/// A packed image, its manifest and signatures over both.
pub(crate) struct Packed {
    pub(crate) image: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) image_signature: Vec<u8>,
    pub(crate) manifest_signature: Vec<u8>,
    pub(crate) key: PathBuf,
    /// Where the key is.
    _dir: TempDir,
}

/// The two files of `raw`.
pub(crate) fn make(raw: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("os.raw"), raw).unwrap();
    let request = PackRequest {
        raw: dir.path().join("os.raw"),
        dir: dir.path().to_owned(),
        chunk_size: 1024 * 1024,
        level: 1,
        key: None,
    };
    let made = pack(&request, &Silent, &Cancel::new()).unwrap();
    (
        std::fs::read(made.image).unwrap(),
        std::fs::read(made.manifest).unwrap(),
    )
}

impl Packed {
    /// The test image.
    pub(crate) fn new() -> Self {
        static FILES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
        Self::signed(FILES.get_or_init(|| make(&raw(512))), &Signer::new())
    }

    pub(crate) fn signed((image, manifest): &(Vec<u8>, Vec<u8>), signer: &Signer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            image: image.clone(),
            manifest: manifest.clone(),
            image_signature: signer.sign(image),
            manifest_signature: signer.sign(manifest),
            key: signer.public_key(dir.path()),
            _dir: dir,
        }
    }

    pub(crate) fn list(&self) -> Manifest {
        Manifest::parse(&self.manifest).unwrap()
    }

    /// The image with a bit flipped in the frame of the chunk with this number.
    pub(crate) fn flipped(&self, number: usize) -> Vec<u8> {
        let mut image = self.image.clone();
        let at = self.list().chunks()[number].frame_end() - 5;
        image[usize::try_from(at).unwrap()] ^= 1;
        image
    }

    /// All files, as they are now.
    pub(crate) fn publish(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("os.raw.zst", &self.image),
            ("os.raw.zst.sig", &self.image_signature),
            ("os.chunks.json", &self.manifest),
            ("os.chunks.json.sig", &self.manifest_signature),
        ] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    pub(crate) fn request<'a>(&self, disk: &LoopDisk) -> Request<'a> {
        let published = Published::new("unused", b"", None, &Signer::new());
        let mut request = request(&published, disk);
        request.keyring = Keyring::empty().with_file(&self.key);
        request
    }

    pub(crate) fn install(
        &self,
        dir: &Path,
        disk: &LoopDisk,
    ) -> Result<Installed, Box<InstallError>> {
        let mut request = self.request(disk);
        request.source = Location::File(dir.join("os.raw.zst"));
        run(request)
    }
}

pub(crate) fn verify_error(error: &InstallError) -> &VerifyError {
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Verify(error))) => error,
        InstallCause::Verify(error) => error,
        other => panic!("not about trust: {other:?}"),
    }
}

pub(crate) fn assert_untouched(error: &InstallError, disk: &LoopDisk) {
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));
}

#[test]
fn a_packed_image_is_installed_by_its_manifest_alone_and_without_it_as_any_other() {
    let disk = or_skip!("packed_both_ways", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let dir = packed.publish();
    // The manifest's signature is enough.
    std::fs::remove_file(dir.path().join("os.raw.zst.sig")).unwrap();
    let installed = packed.install(dir.path(), &disk).unwrap();
    assert!(matches!(installed.trust, Trust::Signature { .. }));
    assert_eq!(installed.size, SIZE as u64);
    assert!(disk.bytes()[..SIZE] == raw(512)[..], "by the manifest");

    let disk = or_skip!("packed_both_ways", LoopDisk::new(DISK, 512));
    let dir = packed.publish();
    for name in ["os.chunks.json", "os.chunks.json.sig"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let installed = packed.install(dir.path(), &disk).unwrap();
    assert!(matches!(installed.trust, Trust::Signature { .. }));
    assert!(disk.bytes()[..SIZE] == raw(512)[..], "as one stream");
}

#[test]
fn a_manifest_elsewhere_is_used_when_it_is_named_and_none_when_that_is_asked_for() {
    let disk = or_skip!("packed_manifest_place", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let (image, list) = (packed.publish(), packed.publish());
    std::fs::remove_file(image.path().join("os.chunks.json")).unwrap();
    std::fs::remove_file(image.path().join("os.raw.zst.sig")).unwrap();
    let mut named = packed.request(&disk);
    named.source = Location::File(image.path().join("os.raw.zst"));
    named.manifest = ManifestPlace::File(list.path().join("os.chunks.json"));
    run(named).unwrap();
    assert!(disk.bytes()[..SIZE] == raw(512)[..]);

    let mut unused = packed.request(&disk);
    unused.source = Location::File(list.path().join("os.raw.zst"));
    unused.manifest = ManifestPlace::Unused;
    std::fs::remove_file(list.path().join("os.raw.zst.sig")).unwrap();
    match verify_error(&run(unused).unwrap_err()) {
        VerifyError::NoSignature { looked_at, .. } => {
            assert!(looked_at.ends_with("os.raw.zst.sig"), "{looked_at}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flipped_bit_in_a_late_frame_is_named_and_leaves_the_disk_unbootable() {
    let disk = or_skip!("packed_flipped_frame", LoopDisk::new(DISK, 512));
    let mut packed = Packed::new();
    let list = packed.list();
    let last = list.chunks().len() - 1;
    packed.image = packed.flipped(last);
    let dir = packed.publish();
    let error = packed.install(dir.path(), &disk).unwrap_err();
    match verify_error(&error) {
        VerifyError::Chunk {
            number,
            offset,
            failures,
            ..
        } => {
            assert_eq!((*number, *offset), (last, list.chunks()[last].offset));
            assert_eq!(failures.len(), 1);
            assert!(failures[0].url.ends_with("os.raw.zst"), "{failures:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_changed_manifest_another_files_one_or_one_by_a_stranger_does_not_touch_the_disk() {
    let disk = or_skip!("packed_bad_manifest", LoopDisk::new(DISK, 512));
    let refusal = |packed: &Packed| {
        let dir = packed.publish();
        let error = packed.install(dir.path(), &disk).unwrap_err();
        assert_untouched(&error, &disk);
        error
    };
    let good = Packed::new();

    let mut changed = Packed::new();
    let at = changed.manifest.len() / 2;
    changed.manifest[at] ^= 1;
    let error = refusal(&changed);
    let bad = matches!(verify_error(&error), VerifyError::BadSignature { name, .. }
        if name.ends_with("os.chunks.json"));
    assert!(bad, "{error:?}");

    let mut stranger = Packed::new();
    stranger.manifest_signature = Signer::new().sign(&stranger.manifest);
    let error = refusal(&stranger);
    let unknown = matches!(
        verify_error(&error),
        VerifyError::UnknownKey { known: 1, .. }
    );
    assert!(unknown, "{error:?}");

    // Signed by the right key, and of another image.
    let signer = Signer::new();
    let mut mixed = Packed::signed(&make(&raw(4096)), &signer);
    mixed.image = good.image.clone();
    let error = refusal(&mixed);
    let first = matches!(verify_error(&error), VerifyError::Chunk { number: 0, .. });
    assert!(first, "{error:?}");

    // Signed by the right key, and no manifest.
    let nonsense = (
        good.image.clone(),
        b"{\"format\":\"x\",\"version\":1}".to_vec(),
    );
    let error = refusal(&Packed::signed(&nonsense, &signer));
    let no_manifest = matches!(verify_error(&error), VerifyError::Manifest { .. });
    assert!(no_manifest, "{error:?}");
}

#[test]
fn a_truncated_packed_image_says_where_it_ends_and_leaves_the_disk_unbootable() {
    let disk = or_skip!("packed_truncated", LoopDisk::new(DISK, 512));
    let mut packed = Packed::new();
    packed.image.truncate(packed.image.len() / 2);
    let dir = packed.publish();
    let error = packed.install(dir.path(), &disk).unwrap_err();
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Source(SourceError::Length {
            got,
            ..
        }))) => assert_eq!(*got, packed.image.len() as u64),
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_wanted_digest_is_compared_with_the_signed_manifest_and_never_with_an_unsigned_one() {
    let disk = or_skip!("packed_digest", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let dir = packed.publish();
    let install = |digest: Sha256Digest| {
        let mut request = packed.request(&disk);
        request.source = Location::File(dir.path().join("os.raw.zst"));
        request.digest = Some(digest);
        run(request)
    };
    let error = install(Sha256Digest::of(b"another")).unwrap_err();
    let other = matches!(verify_error(&error), VerifyError::OtherDigest(_));
    assert!(other, "{error:?}");
    assert_untouched(&error, &disk);

    // An unsigned manifest may say what it likes: all of the file is hashed instead.
    for name in ["os.chunks.json.sig", "os.raw.zst.sig"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let digest = Sha256Digest::of(&packed.image);
    let installed = install(digest).unwrap();
    assert_eq!(installed.trust, Trust::Digest(digest));
    assert!(disk.bytes()[..SIZE] == raw(512)[..]);
}

#[test]
fn a_manifest_of_an_image_that_nobody_signed_still_checks_every_chunk() {
    let disk = or_skip!("packed_insecure", LoopDisk::new(DISK, 512));
    let mut packed = Packed::new();
    packed.image = packed.flipped(3);
    let dir = packed.publish();
    for name in ["os.chunks.json.sig", "os.raw.zst.sig"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let mut insecure = packed.request(&disk);
    insecure.source = Location::File(dir.path().join("os.raw.zst"));
    insecure.policy = SignaturePolicy::TolerateAbsent;
    let error = run(insecure).unwrap_err();
    let third = matches!(verify_error(&error), VerifyError::Chunk { number: 3, .. });
    assert!(third, "{error:?}");
    assert_unbootable(&disk.bytes(), 512, &[]);
}
