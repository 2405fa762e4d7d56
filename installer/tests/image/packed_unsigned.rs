//! Which of a packed image's signatures count: every combination of a manifest and an image that are
//! signed well, badly or not at all, found or named, and what is made of it.

use std::path::Path;
use std::sync::Mutex;

use embed::digest::Sha256Digest;
use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::image::{SignaturePlace, Terms, read_verified};
use installer::install::{Request, install};
use installer::observe::{FetchNotice, Observer};
use installer::pipeline::ImageError;
use installer::source::{Location, ManifestPlace};
use installer::verify::{Keyring, SignaturePolicy, Trust, VerifyError};

use crate::disk::LoopDisk;
use crate::image::{SIZE, raw};
use crate::packed::{DISK, Packed, assert_untouched, verify_error};
use crate::request::{or_skip, run};

use Outcome::{BadImage, BadManifest, List, NoImage, NoManifest, Stream};
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
    /// Read as one stream by its own signature, by a digest, or unsigned; the manifest ignored.
    Stream(Option<Sha256Digest>),
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

#[test]
fn an_unsigned_manifest_proves_nothing_and_a_bad_signature_is_never_passed_over() {
    let packed = Packed::new();
    let digest = Some(Sha256Digest::of(&packed.image));
    let (found, named) = (false, true);
    for (place, manifest, image, policy, wanted, expected) in [
        (found, Good, Good, Require, None, List(Good)),
        (found, Good, Bad, Require, None, List(Good)),
        (found, Good, Absent, Require, digest, List(Good)),
        (found, Good, Absent, TolerateAbsent, None, List(Good)),
        (found, Bad, Absent, Require, digest, BadManifest),
        (found, Bad, Absent, TolerateAbsent, None, BadManifest),
        (found, Absent, Good, Require, None, Stream(None)),
        (found, Absent, Good, TolerateAbsent, None, Stream(None)),
        (found, Absent, Bad, Require, None, BadImage),
        (found, Absent, Bad, TolerateAbsent, None, BadImage),
        (found, Absent, Bad, Require, digest, BadImage),
        (found, Absent, Absent, Require, None, NoImage),
        (found, Absent, Absent, Require, digest, Stream(digest)),
        (
            found,
            Absent,
            Absent,
            TolerateAbsent,
            digest,
            Stream(digest),
        ),
        (found, Absent, Absent, TolerateAbsent, None, List(Absent)),
        (named, Good, Absent, Require, None, List(Good)),
        (named, Bad, Absent, TolerateAbsent, None, BadManifest),
        (named, Absent, Good, Require, None, NoManifest),
        (named, Absent, Absent, Require, digest, NoManifest),
        (named, Absent, Good, TolerateAbsent, None, List(Absent)),
        (
            named,
            Absent,
            Absent,
            TolerateAbsent,
            digest,
            Stream(digest),
        ),
    ] {
        let what = format!("named {place}: {manifest:?} {image:?} {policy:?} {wanted:?}");
        let dir = packed.publish();
        sign(&packed, dir.path(), manifest, image);
        let list = dir.path().join("os.chunks.json");
        let place = match place {
            true => ManifestPlace::File(list.clone()),
            false => ManifestPlace::Beside,
        };
        let terms = Terms {
            manifest: &place,
            signature: SignaturePlace::Beside,
            digest: wanted,
            policy,
            keyring: &Keyring::empty().with_file(&packed.key),
        };
        let source = Location::File(dir.path().join("os.raw.zst"));
        let ignored = Ignored::default();
        let got = match read_verified(&source, &terms, &ignored, &Cancel::new()) {
            Err(ImageError::Verify(error)) => outcome(&error),
            Err(other) => panic!("{what}: {other:?}"),
            Ok((verified, facts)) => match (verified.trust(), facts.list) {
                (Trust::Signature { .. }, Some(_)) => List(Good),
                (Trust::InsecureChoice, Some(_)) => List(Absent),
                (Trust::Signature { .. }, None) => Stream(None),
                (Trust::Digest(digest), None) => Stream(Some(*digest)),
                (other, _) => panic!("{what}: {other:?}"),
            },
        };
        assert_eq!(got, expected, "{what}");
        let told = ignored.0.into_inner().unwrap();
        match expected {
            Stream(_) | BadImage | NoImage => {
                let name = list.display().to_string();
                let signature = format!("{name}.sig");
                assert_eq!(told, [(name, signature)], "{what}");
            }
            _ => assert_eq!(told, [], "{what}"),
        }
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
