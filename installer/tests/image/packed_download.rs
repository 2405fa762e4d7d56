//! `download` of packed images: what is fetched, what is left in the directory, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use embed::digest::Sha256Digest;
use installer::cancel::Cancel;
use installer::download::{DownloadError, Downloaded, Form, Request, Wanted, download};
use installer::observe::Silent;
use installer::pipeline::ImageError;
use installer::source::{ManifestPlace, SourceError};
use installer::verify::{Keyring, SignaturePolicy, Trust, VerifyError};

use crate::image::{Signer, raw};
use crate::packed::{Packed, make};
use crate::resume::quick;
use crate::server::{Answer, File, Server};

const IMAGE: &str = "/os.raw.zst";
const NAMES: [&str; 4] = [
    "os.raw.zst",
    "os.raw.zst.sig",
    "os.chunks.json",
    "os.chunks.json.sig",
];

/// A server with the files of `packed` but for those in `absent`.
fn server(packed: &Packed, absent: &[&str]) -> Server {
    let body = |bytes: &[u8]| vec![File::new(bytes).whole()];
    let files = [
        (IMAGE, body(&packed.image)),
        ("/os.raw.zst.sig", body(&packed.image_signature)),
        ("/os.chunks.json", body(&packed.manifest)),
        ("/os.chunks.json.sig", body(&packed.manifest_signature)),
    ];
    let is_there = |file: &(&str, Vec<Answer>)| !absent.contains(&file.0);
    Server::new(files.into_iter().filter(is_there))
}

fn request(packed: &Packed, server: &Server, dir: &Path) -> Request {
    Request {
        wanted: Wanted::Url {
            url: server.url(IMAGE),
            mirrors: Vec::new(),
            access: quick(0),
        },
        dir: dir.to_owned(),
        form: Form::AsPublished,
        manifest: ManifestPlace::Beside,
        digest: None,
        policy: SignaturePolicy::Require,
        keyring: Keyring::empty().with_file(&packed.key),
    }
}

fn fetch(request: &Request) -> Result<Downloaded, DownloadError> {
    download(request, &Silent, &Cancel::new()).map(|mut done| done.remove(0))
}

/// The files in a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let file = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).into_keys().collect()
}

#[track_caller]
fn assert_has_all(dir: &Path, packed: &Packed) {
    let contents = [
        &packed.image,
        &packed.image_signature,
        &packed.manifest,
        &packed.manifest_signature,
    ];
    let want = NAMES.map(str::to_owned).into_iter();
    let want: BTreeMap<_, _> = want.zip(contents.into_iter().cloned()).collect();
    assert!(files(dir) == want, "{:?}", names(dir));
}

#[test]
fn all_four_files_are_kept_and_not_fetched_again_while_they_are_good() {
    let packed = Packed::new();
    let server = server(&packed, &[]);
    let dir = tempfile::tempdir().unwrap();
    let request = request(&packed, &server, dir.path());
    let done = fetch(&request).unwrap();
    assert!(!done.was_there);
    assert!(matches!(done.trust, Trust::Signature { .. }));
    assert_eq!(done.path, dir.path().join("os.raw.zst"));
    assert_eq!(done.manifest, Some(dir.path().join("os.chunks.json")));
    assert_has_all(dir.path(), &packed);

    let images = |server: &Server| server.ranges(IMAGE).len();
    assert!(fetch(&request).unwrap().was_there);
    assert_eq!(images(&server), 1);
    for (n, name) in NAMES.into_iter().enumerate() {
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
        assert!(!fetch(&request).unwrap().was_there, "{name}");
        assert_eq!(images(&server), n + 2, "{name}");
        assert_has_all(dir.path(), &packed);
    }
}

#[test]
fn the_signature_of_the_manifest_is_enough_and_that_of_the_image_must_be_good() {
    let mut packed = Packed::new();
    let dir = tempfile::tempdir().unwrap();
    let unsigned = server(&packed, &["/os.raw.zst.sig"]);
    let first = request(&packed, &unsigned, dir.path());
    let done = fetch(&first).unwrap();
    assert!(matches!(done.trust, Trust::Signature { .. }), "{done:?}");
    let kept = ["os.chunks.json", "os.chunks.json.sig", "os.raw.zst"];
    assert_eq!(names(dir.path()), kept);
    assert!(fetch(&first).unwrap().was_there);

    packed.image_signature = packed.manifest_signature.clone();
    let wrong = server(&packed, &[]);
    let error = fetch(&request(&packed, &wrong, dir.path())).unwrap_err();
    let bad = matches!(
        &error,
        DownloadError::Image {
            source: ImageError::Verify(VerifyError::BadSignature { .. }),
            ..
        }
    );
    assert!(bad, "{error:?}");
    assert_eq!(names(dir.path()), kept, "what was there is kept");
}

#[test]
fn an_image_that_its_manifest_does_not_list_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut packed = Packed::new();
    let at = packed.image.len() - 20;
    packed.image[at] ^= 1;
    // Its own signature is good, or absent.
    for absent in [&[][..], &["/os.raw.zst.sig"]] {
        let mut packed = Packed::signed(
            &(packed.image.clone(), packed.manifest.clone()),
            &Signer::new(),
        );
        let wrong = server(&packed, absent);
        let error = fetch(&request(&packed, &wrong, dir.path())).unwrap_err();
        let digest = matches!(
            &error,
            DownloadError::Image {
                source: ImageError::Verify(VerifyError::Digest { want, got, .. }),
                ..
            } if *want == packed.list().file().sha256 && *got == Sha256Digest::of(&packed.image)
        );
        assert!(digest, "{error:?}");

        packed.manifest_signature = packed.image_signature.clone();
        let wrong = server(&packed, absent);
        let error = fetch(&request(&packed, &wrong, dir.path())).unwrap_err();
        let bad = matches!(
            error,
            DownloadError::Verify(VerifyError::BadSignature { .. })
        );
        assert!(bad, "{error:?}");
    }
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn an_unsigned_manifest_is_left_out_and_one_of_an_earlier_image_goes() {
    let packed = Packed::new();
    let dir = tempfile::tempdir().unwrap();
    fetch(&request(&packed, &server(&packed, &[]), dir.path())).unwrap();

    let mut other = raw(512);
    other[30 << 20] ^= 1;
    let newer = Packed::signed(&make(&other), &Signer::new());
    for absent in [
        &["/os.chunks.json.sig"][..],
        &["/os.chunks.json", "/os.chunks.json.sig"],
    ] {
        let server = server(&newer, absent);
        let done = fetch(&request(&newer, &server, dir.path())).unwrap();
        assert_eq!(done.manifest, None);
        assert_eq!(names(dir.path()), ["os.raw.zst", "os.raw.zst.sig"]);
        assert!(std::fs::read(done.path).unwrap() == newer.image);
    }
}

#[test]
fn a_manifest_that_is_named_must_be_there_and_none_is_not_asked_for() {
    let packed = Packed::new();
    let dir = tempfile::tempdir().unwrap();
    let one = server(&packed, &["/os.chunks.json"]);
    let mut named = request(&packed, &one, dir.path());
    named.manifest = ManifestPlace::Url(one.url("/os.chunks.json"));
    let error = fetch(&named).unwrap_err();
    let absent = matches!(
        error,
        DownloadError::Source(SourceError::Status { status: 404, .. })
    );
    assert!(absent, "{error:?}");
    assert_eq!(names(dir.path()), Vec::<String>::new());

    let other = server(&packed, &[]);
    named.manifest = ManifestPlace::Url(other.url("/os.chunks.json"));
    fetch(&named).unwrap();
    assert_has_all(dir.path(), &packed);

    let mut unused = request(&packed, &other, dir.path());
    unused.manifest = ManifestPlace::Unused;
    unused.form = Form::Decompressed;
    let before = other.requests().len();
    fetch(&unused).unwrap();
    let asked = other.requests().split_off(before);
    assert_eq!(asked, ["/os.raw.zst.sig", IMAGE]);
    assert!(std::fs::read(dir.path().join("os.raw")).unwrap() == raw(512));
}

#[test]
fn decompressing_goes_by_chunks_and_a_bad_one_is_had_again() {
    let packed = Packed::new();
    let dir = tempfile::tempdir().unwrap();
    let damaged = vec![
        File::new(&packed.flipped(3)).whole(),
        File::new(&packed.image).whole(),
    ];
    let body = |bytes: &[u8]| vec![Answer::Body(bytes.to_vec())];
    let server = Server::new([
        (IMAGE, damaged),
        ("/os.chunks.json", body(&packed.manifest)),
        ("/os.chunks.json.sig", body(&packed.manifest_signature)),
    ]);
    let mut request = request(&packed, &server, dir.path());
    request.form = Form::Decompressed;
    let done = fetch(&request).unwrap();
    assert!(matches!(done.trust, Trust::Signature { .. }));
    assert_eq!((done.manifest, done.was_there), (None, false));
    assert_eq!(names(dir.path()), ["os.raw"]);
    assert!(std::fs::read(done.path).unwrap() == raw(512));
    let frame = packed.list().chunks()[3].frame_offset;
    assert_eq!(
        server.ranges(IMAGE),
        [None, Some(format!("bytes={frame}-"))]
    );
}
