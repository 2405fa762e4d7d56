//! Installs over HTTP from servers of all kinds.

use installer::install::{DiskState, InstallCause, InstallError};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Access, Location, Retries, SourceError, StreamQuery};
use installer::verify::VerifyError;

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};
use crate::server::{Answer, Server};

const DISK: usize = 64 * 1024 * 1024;

struct Fixture {
    raw: Vec<u8>,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    published: Published,
}

fn fixture() -> Fixture {
    let signer = Signer::new();
    let raw = raw(512);
    let bytes = compress(&raw, "zst");
    let signature = signer.sign(&bytes);
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    Fixture {
        raw,
        bytes,
        signature,
        published,
    }
}

impl Fixture {
    fn install(&self, url: String, retries: u32, disk: &LoopDisk) -> Result<(), Box<InstallError>> {
        let mut request = request(&self.published, disk);
        request.source = Location::Url {
            url,
            mirrors: Vec::new(),
            access: Access {
                retries: Retries::Count(retries),
                ..Access::default()
            },
        };
        run(request).map(|_| ())
    }
}

#[test]
fn an_image_comes_over_http_after_a_server_error() {
    let disk = or_skip!("http", LoopDisk::new(DISK, 512));
    let f = fixture();
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(f.signature.clone())]),
        (
            "/os.zst",
            vec![Answer::Status(503), Answer::Body(f.bytes.clone())],
        ),
    ]);
    f.install(server.url("/os.zst"), 1, &disk).unwrap();
    assert!(disk.bytes()[..SIZE] == f.raw[..]);
    assert_eq!(server.requests(), ["/os.zst.sig", "/os.zst", "/os.zst"]);
}

#[test]
fn a_server_error_that_stays_is_final_after_the_allowed_retries() {
    let disk = or_skip!("http_500", LoopDisk::new(DISK, 512));
    let f = fixture();
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(f.signature.clone())]),
        ("/os.zst", vec![Answer::Status(500)]),
    ]);
    let error = f.install(server.url("/os.zst"), 0, &disk).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Source(SourceError::Status { status: 500, .. })
        ),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 2);
    assert!(disk.bytes().iter().all(|b| *b == OLD));
}

#[test]
fn an_image_that_is_not_there_fails_at_once_and_does_not_touch_the_disk() {
    let disk = or_skip!("http_404", LoopDisk::new(DISK, 512));
    let f = fixture();
    let server = Server::new([("/os.zst.sig", vec![Answer::Body(f.signature.clone())])]);
    let error = f.install(server.url("/os.zst"), 100, &disk).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Source(SourceError::Status { status: 404, .. })
        ),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|b| *b == OLD));
}

#[test]
fn a_signature_that_is_not_there_is_named_with_the_servers_answer() {
    let disk = or_skip!("http_no_sig", LoopDisk::new(DISK, 512));
    let f = fixture();
    let server = Server::new([("/os.zst", vec![Answer::Body(f.bytes.clone())])]);
    let error = f.install(server.url("/os.zst"), 0, &disk).unwrap_err();
    match error.source {
        InstallCause::Verify(VerifyError::NoSignature {
            looked_at, status, ..
        }) => {
            assert_eq!(looked_at, server.url("/os.zst.sig"));
            assert_eq!(status, Some(404));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_cut_at_any_tenth_leaves_the_disk_unbootable_or_untouched() {
    let f = fixture();
    for tenth in 0..10 {
        let disk = or_skip!("http_cut", LoopDisk::new(DISK, 512));
        let at = f.bytes.len() * tenth / 10;
        let server = Server::new([
            ("/os.zst.sig", vec![Answer::Body(f.signature.clone())]),
            ("/os.zst", vec![Answer::Cut(f.bytes.clone(), at)]),
        ]);
        let error = f.install(server.url("/os.zst"), 0, &disk).unwrap_err();
        let cut =
            |e: &SourceError| matches!(e, SourceError::Read { offset, .. } if *offset <= at as u64);
        match &error.source {
            InstallCause::Seal(SealError::Image(ImageError::Source(e))) => assert!(cut(e), "{e:?}"),
            other => panic!("{other:?}"),
        }
        match error.state {
            DiskState::Untouched => assert!(disk.bytes().iter().all(|b| *b == OLD)),
            DiskState::Unbootable { saved: 0 } => assert_unbootable(&disk.bytes(), 512, &[]),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_redirect_loop_fails_without_retries() {
    let disk = or_skip!("http_loop", LoopDisk::new(DISK, 512));
    let f = fixture();
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(f.signature.clone())]),
        ("/os.zst", vec![Answer::Redirect("/os.zst".into())]),
    ]);
    let error = f.install(server.url("/os.zst"), 100, &disk).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Source(SourceError::Redirects { limit: 10, .. })
        ),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Untouched);
}

#[test]
fn a_stream_names_its_image_and_a_wrong_digest_in_it_is_refused() {
    let disk = or_skip!("stream", LoopDisk::new(DISK, 512));
    let f = fixture();
    let metadata = |server: &str, sha256: &str| {
        format!(
            r#"{{"stream":"stable","architectures":{{"x86_64":{{"artifacts":{{"metal":{{"formats":
               {{"raw.zst":{{"disk":{{"location":"{server}/i","signature":"{server}/s","sha256":"{sha256}"}}}}}}}}}}}}}}}}"#
        )
    };
    let files = Server::new([
        ("/s", vec![Answer::Body(f.signature.clone())]),
        ("/i", vec![Answer::Body(f.bytes.clone())]),
    ]);
    let good = embed::digest::Sha256Digest::of(&f.bytes).to_string();
    let wrong = embed::digest::Sha256Digest::of(b"").to_string();
    for (sha256, is_good) in [(wrong, false), (good, true)] {
        let json = metadata(&files.url(""), &sha256).into_bytes();
        let server = Server::new([("/streams/stable.json", vec![Answer::Body(json)])]);
        let mut request = request(&f.published, &disk);
        request.source = Location::Stream(StreamQuery {
            base_url: server.url("/streams/"),
            stream: "stable".into(),
            architecture: "x86_64".into(),
            platform: "metal".into(),
            format: "raw.zst".into(),
            mirrors: Vec::new(),
            access: Access::default(),
        });
        match run(request) {
            Ok(_) => assert!(is_good),
            Err(error) => {
                assert!(!is_good, "{error:?}");
                assert!(
                    matches!(
                        error.source,
                        InstallCause::Seal(SealError::Image(ImageError::Verify(
                            VerifyError::Digest { .. }
                        )))
                    ),
                    "{error:?}"
                );
                assert_unbootable(&disk.bytes(), 512, &[]);
            }
        }
    }
    assert!(disk.bytes()[..SIZE] == f.raw[..]);
}

#[test]
fn a_signed_download_is_kept_with_its_signature_and_not_fetched_again() {
    use installer::download::{Form, Request, Wanted, download};
    let f = fixture();
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(f.signature.clone())]),
        ("/os.zst", vec![Answer::Body(f.bytes.clone())]),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let request = Request {
        wanted: Wanted::Url {
            url: server.url("/os.zst"),
            mirrors: Vec::new(),
            access: Access::default(),
        },
        dir: dir.path().to_owned(),
        form: Form::AsPublished,
        manifest: installer::source::ManifestPlace::Beside,
        digest: None,
        policy: installer::verify::SignaturePolicy::Require,
        keyring: installer::verify::Keyring::empty().with_file(&f.published.key),
    };
    let fetch = || {
        download(
            &request,
            &installer::observe::Silent,
            &installer::cancel::Cancel::new(),
        )
    };
    let first = fetch().unwrap();
    assert!(!first[0].was_there);
    assert!(std::fs::read(dir.path().join("os.zst")).unwrap() == f.bytes);
    assert_eq!(
        std::fs::read(dir.path().join("os.zst.sig")).unwrap(),
        f.signature
    );
    assert!(fetch().unwrap()[0].was_there);
    assert_eq!(server.requests(), ["/os.zst.sig", "/os.zst", "/os.zst.sig"]);

    // A damaged one is fetched again.
    std::fs::write(dir.path().join("os.zst"), &f.bytes[1..]).unwrap();
    assert!(!fetch().unwrap()[0].was_there);
    assert!(std::fs::read(dir.path().join("os.zst")).unwrap() == f.bytes);
}
