//! What a download leaves in its directory, after a success and after failures.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::*;
use crate::observe::Silent;
use crate::verify::VerifyError;

/// Serves these files, and keeps a list of what was asked for.
fn serve(files: Vec<(&'static str, Vec<u8>)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    std::thread::spawn(move || {
        for mut out in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(out.try_clone().unwrap())
                .lines()
                .map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = files
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, body)| body.clone());
            let (status, body) = body.map_or((404, Vec::new()), |body| (200, body));
            let len = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
            );
            seen.lock().unwrap().push(path);
            let _ = out
                .write_all(head.as_bytes())
                .and_then(|()| out.write_all(&body));
        }
    });
    (url, log)
}

fn request(url: String, dir: &Path) -> Request {
    Request {
        wanted: Wanted::Url {
            url,
            mirrors: Vec::new(),
            access: Access::default(),
        },
        digest: None,
        manifest: ManifestPlace::Beside,
        dir: dir.to_owned(),
        form: Form::AsPublished,
        policy: SignaturePolicy::TolerateAbsent,
        keyring: Keyring::empty(),
    }
}

fn run(request: &Request) -> Result<Vec<Downloaded>, DownloadError> {
    download(request, &Silent, &Cancel::new())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_kept_as_published_under_its_last_path_segment() {
    let dir = tempfile::tempdir().unwrap();
    let body = zstd::encode_all(&b"data"[..], 1).unwrap();
    let (url, _) = serve(vec![("/a/os.raw.zst?x=/y", body.clone())]);
    let done = run(&request(format!("{url}/a/os.raw.zst?x=/y"), dir.path())).unwrap();
    assert_eq!(done[0].path, dir.path().join("os.raw.zst"));
    assert_eq!(
        (&done[0].trust, done[0].was_there),
        (&Trust::InsecureChoice, false)
    );
    assert_eq!(fs::read(&done[0].path).unwrap(), body);
    assert_eq!(names(dir.path()), ["os.raw.zst"]);
}

#[test]
fn a_decompressed_file_loses_its_ending_unless_it_is_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let body = zstd::encode_all(&b"data"[..], 1).unwrap();
    let (url, _) = serve(vec![
        ("/os.raw.zst", body.clone()),
        ("/os.tar.zst", body.clone()),
    ]);
    let mut request = request(format!("{url}/os.raw.zst"), dir.path());
    request.form = Form::Decompressed;
    run(&request).unwrap();
    request.wanted = Wanted::Url {
        url: format!("{url}/os.tar.zst"),
        mirrors: Vec::new(),
        access: Access::default(),
    };
    run(&request).unwrap();
    assert_eq!(names(dir.path()), ["os.raw", "os.tar.zst"]);
    assert_eq!(fs::read(dir.path().join("os.raw")).unwrap(), b"data");
    assert_eq!(fs::read(dir.path().join("os.tar.zst")).unwrap(), body);
}

#[test]
fn a_failed_download_leaves_no_trace_and_keeps_the_earlier_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("os.raw"), "earlier").unwrap();
    let good = zstd::encode_all(&b"data"[..], 1).unwrap();
    let (url, _) = serve(vec![("/os.raw.zst", good[..good.len() - 1].to_vec())]);
    let mut request = request(format!("{url}/os.raw.zst"), dir.path());
    request.form = Form::Decompressed;
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            &error,
            DownloadError::Image {
                source: ImageError::Decode { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(names(dir.path()), ["os.raw"]);
    assert_eq!(fs::read(dir.path().join("os.raw")).unwrap(), b"earlier");
}

#[test]
fn an_unsigned_file_is_refused_without_fetching_it_twice_or_keeping_it() {
    let dir = tempfile::tempdir().unwrap();
    let (url, log) = serve(vec![("/os.raw", b"data".to_vec())]);
    let mut request = request(format!("{url}/os.raw"), dir.path());
    request.policy = SignaturePolicy::Require;
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            error,
            DownloadError::Verify(VerifyError::NoSignature { .. })
        ),
        "{error:?}"
    );
    assert_eq!(names(dir.path()), Vec::<String>::new());
    assert_eq!(*log.lock().unwrap(), ["/os.raw.sig", "/os.raw"]);
}

#[test]
fn a_stale_signature_does_not_stay_beside_a_new_unsigned_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("os.raw.sig"), "of another file").unwrap();
    let (url, _) = serve(vec![("/os.raw", b"data".to_vec())]);
    run(&request(format!("{url}/os.raw"), dir.path())).unwrap();
    assert_eq!(names(dir.path()), ["os.raw"]);
}

#[test]
fn a_url_without_file_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for url in [
        "http://h",
        "http://h/",
        "http://h/a/",
        "http://h/..",
        "http://h/?name",
    ] {
        let error = run(&request(url.into(), dir.path())).unwrap_err();
        assert!(
            matches!(error, DownloadError::FileName { .. }),
            "{url}: {error:?}"
        );
    }
}

#[test]
fn an_artifact_of_metadata_has_its_own_signature_and_digest() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = serve(vec![("/a/os", b"data".to_vec())]);
    let mut request = request(url.clone(), dir.path());
    let mut artifact = Artifact::at(&format!("{url}/a/os")).unwrap();
    artifact.signature = format!("{url}/s/of-os.asc");
    artifact.sha256 = Some(Sha256Digest::of(b"other"));
    let query = StreamQuery {
        base_url: url,
        stream: "stable".into(),
        architecture: "x86_64".into(),
        platform: "metal".into(),
        format: "pxe".into(),
        mirrors: Vec::new(),
        access: Access::default(),
    };
    let wanted = |artifact: &Artifact| Wanted::Artifact {
        artifact: artifact.clone(),
        query: query.clone(),
    };
    request.wanted = wanted(&artifact);
    let error = run(&request).unwrap_err();
    let DownloadError::Image { source, .. } = &error else {
        panic!("{error:?}");
    };
    let verify = matches!(source, ImageError::Verify(VerifyError::Digest { .. }));
    assert!(verify, "{error:?}");
    assert!(names(dir.path()).is_empty());
    assert_eq!(*asked.lock().unwrap(), ["/s/of-os.asc", "/a/os"]);

    artifact.sha256 = Some(Sha256Digest::of(b"data"));
    request.wanted = wanted(&artifact);
    assert_eq!(run(&request).unwrap()[0].path, dir.path().join("os"));
}
