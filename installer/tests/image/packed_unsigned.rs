//! Which of a packed image's signatures count: every combination of a manifest and an image that are
//! signed well, badly or not at all, found or named, and what is made of it.

use std::path::Path;
use std::sync::Mutex;

use embed::digest::Sha256Digest;
use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::image::{ImageFacts, SignaturePlace, Terms, read_verified};
use installer::install::{Request, install};
use installer::observe::{FetchNotice, Observer};
use installer::pipeline::ImageError;
use installer::source::{Location, ManifestPlace};
use installer::verify::{Keyring, SignaturePolicy, Trust, Verified, VerifyError};

use crate::disk::LoopDisk;
use crate::image::{SIZE, raw};
use crate::packed::{DISK, Packed, assert_untouched, verify_error};
use crate::request::{or_skip, run};

use Outcome::{BadImage, BadManifest, ByDigest, List, NoImage, NoManifest, Stream};
use SignaturePolicy::{Require, TolerateAbsent};
use Signed::{Absent, Bad, Good};

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    Good,
    Bad,
    Absent,
}

/// What is made of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Read by its manifest, and signed or not.
    List(Signed),
    /// Read as one stream by its own signature, the manifest ignored.
    Stream,
    /// Read as one stream by a digest, the manifest ignored.
    ByDigest,
    BadManifest,
    BadImage,
    NoManifest,
    NoImage,
}

/// Remembers the manifests that were ignored, and where their signatures would be.
#[derive(Default)]
struct Ignored(Mutex<Vec<(String, String)>>);

impl Observer for Ignored {
    fn event(&self, _: Progress) {}

    fn fetch(&self, notice: &FetchNotice) {
        match notice {
            FetchNotice::ManifestIgnored {
                manifest,
                looked_at,
            } => {
                let notice = (manifest.clone(), looked_at.clone());
                self.0.lock().unwrap().push(notice);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Leaves the signatures as they are asked for; a bad one is a good one over the other file.
fn sign(packed: &Packed, dir: &Path, manifest: Signed, image: Signed) {
    for (name, signed, bad) in [
        ("os.chunks.json.sig", manifest, &packed.image_signature),
        ("os.raw.zst.sig", image, &packed.manifest_signature),
    ] {
        match signed {
            Good => {}
            Bad => std::fs::write(dir.join(name), bad).unwrap(),
            Absent => std::fs::remove_file(dir.join(name)).unwrap(),
        }
    }
}

fn outcome(error: &VerifyError) -> Outcome {
    match error {
        VerifyError::BadSignature { name, .. } if name.ends_with("os.chunks.json") => BadManifest,
        VerifyError::BadSignature { name, .. } if name.ends_with("os.raw.zst") => BadImage,
        VerifyError::NoSignature { looked_at, .. } if looked_at.ends_with("os.chunks.json.sig") => {
            NoManifest
        }
        VerifyError::NoSignature { looked_at, .. } if looked_at.ends_with("os.raw.zst.sig") => {
            NoImage
        }
        other => panic!("{other:?}"),
    }
}

/// Whether the manifest is named, how it and the image are signed, what is tolerated, whether the
/// right digest is wanted, and what is made of that.
type Row = (bool, Signed, Signed, SignaturePolicy, bool, Outcome);

const FOUND: bool = false;
const NAMED: bool = true;

const TABLE: [Row; 21] = [
    (FOUND, Good, Good, Require, false, List(Good)),
    (FOUND, Good, Bad, Require, false, List(Good)),
    (FOUND, Good, Absent, Require, true, List(Good)),
    (FOUND, Good, Absent, TolerateAbsent, false, List(Good)),
    (FOUND, Bad, Absent, Require, true, BadManifest),
    (FOUND, Bad, Absent, TolerateAbsent, false, BadManifest),
    (FOUND, Absent, Good, Require, false, Stream),
    (FOUND, Absent, Good, TolerateAbsent, false, Stream),
    (FOUND, Absent, Bad, Require, false, BadImage),
    (FOUND, Absent, Bad, TolerateAbsent, false, BadImage),
    (FOUND, Absent, Bad, Require, true, BadImage),
    (FOUND, Absent, Absent, Require, false, NoImage),
    (FOUND, Absent, Absent, Require, true, ByDigest),
    (FOUND, Absent, Absent, TolerateAbsent, true, ByDigest),
    (FOUND, Absent, Absent, TolerateAbsent, false, List(Absent)),
    (NAMED, Good, Absent, Require, false, List(Good)),
    (NAMED, Bad, Absent, TolerateAbsent, false, BadManifest),
    (NAMED, Absent, Good, Require, false, NoManifest),
    (NAMED, Absent, Absent, Require, true, NoManifest),
    (NAMED, Absent, Good, TolerateAbsent, false, List(Absent)),
    (NAMED, Absent, Absent, TolerateAbsent, true, ByDigest),
];

#[test]
fn an_unsigned_manifest_proves_nothing_and_a_bad_signature_is_never_passed_over() {
    let packed = Packed::new();
    for row in TABLE {
        let (named, manifest, image, policy, wanted, expected) = row;
        let dir = packed.publish();
        sign(&packed, dir.path(), manifest, image);
        let list = dir.path().join("os.chunks.json");
        let place = match named {
            true => ManifestPlace::File(list.clone()),
            false => ManifestPlace::Beside,
        };
        let terms = Terms {
            manifest: &place,
            signature: SignaturePlace::Beside,
            digest: wanted.then(|| Sha256Digest::of(&packed.image)),
            policy,
            keyring: &Keyring::empty().with_file(&packed.key),
        };
        let source = Location::File(dir.path().join("os.raw.zst"));
        let ignored = Ignored::default();
        let read = read_verified(&source, &terms, &ignored, &Cancel::new());
        assert_eq!(outcome_of(read), expected, "{row:?}");
        let told = ignored.0.into_inner().unwrap();
        match expected {
            Stream | ByDigest | BadImage | NoImage => {
                let name = list.display().to_string();
                let signature = format!("{name}.sig");
                assert_eq!(told, [(name, signature)], "{row:?}");
            }
            _ => assert_eq!(told, [], "{row:?}"),
        }
    }
}

fn outcome_of(read: Result<(Verified, ImageFacts), ImageError>) -> Outcome {
    match read {
        Err(ImageError::Verify(error)) => outcome(&error),
        Err(other) => panic!("{other:?}"),
        Ok((verified, facts)) => match (verified.trust(), facts.list) {
            (Trust::Signature { .. }, Some(_)) => List(Good),
            (Trust::InsecureChoice, Some(_)) => List(Absent),
            (Trust::Signature { .. }, None) => Stream,
            (Trust::Digest(_), None) => ByDigest,
            (other, _) => panic!("{other:?}"),
        },
    }
}

#[test]
fn an_unsigned_manifest_does_not_stop_the_install_of_a_signed_image_and_a_bad_one_does() {
    let disk = or_skip!("packed_unsigned", LoopDisk::new(DISK, 512));
    let packed = Packed::new();
    let dir = packed.publish();
    let request = || -> Request<'_> {
        let mut request = packed.request(&disk);
        request.source = Location::File(dir.path().join("os.raw.zst"));
        request
    };
    sign(&packed, dir.path(), Bad, Good);
    let error = run(request()).unwrap_err();
    assert_eq!(outcome(verify_error(&error)), BadManifest);
    assert_untouched(&error, &disk);

    sign(&packed, dir.path(), Absent, Good);
    let ignored = Ignored::default();
    let installed = install(request(), &ignored, &Cancel::new()).unwrap();
    assert!(matches!(installed.trust, Trust::Signature { .. }));
    assert_eq!(ignored.0.into_inner().unwrap().len(), 1);
    assert!(disk.bytes()[..SIZE] == raw(512)[..]);
}
