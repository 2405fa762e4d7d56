//! `download` and `list-stream`, from a server of the test's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use crate::command::run;

/// Serves `files` by path for as long as the test runs; anything else is 404.
fn serve(files: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            let path = request.split(' ').nth(1).unwrap();
            let (status, body) = match files.get(path) {
                Some(body) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", b"".as_slice()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // A client that refuses what it sees hangs up early.
            let _ = connection.write_all(&[head.as_bytes(), body].concat());
        }
    });
    base
}

#[test]
fn an_unsigned_file_is_downloaded_only_when_that_is_accepted() {
    let image = vec![0x5a; 2 * 1024 * 1024];
    let base = serve([("/os.raw".to_owned(), image.clone())].into());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let url = format!("{base}/os.raw");

    run(&["download", "-u", &url, "-C", path], b"").fails(
        1,
        &format!(
            "error: the artifact cannot be verified\n\
             cause: {url} has no signature at {url}.sig (HTTP status 404)\n\
             hint:  put the signature there, give the image's `--image-digest`, or trust it with `--insecure`\n"
        ),
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    let ran = run(&["download", "--insecure", "-u", &url, "-C", path], b"");
    assert_eq!(
        (ran.status, ran.out),
        (0, format!("{path}/os.raw\n").into_bytes())
    );
    assert_eq!(fs::read(dir.path().join("os.raw")).unwrap(), image);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_stream_is_listed_and_what_it_lacks_is_named() {
    let metadata = r#"{"stream": "next", "architectures": {"x86_64": {"artifacts": {
        "metal": {"formats": {"raw.xz": {"disk": {"location": "l", "signature": "s"}}}}}}}}"#;
    let base = serve([("/streams/next.json".to_owned(), metadata.into())].into());
    let url = format!("{base}/streams/");
    let list = run(
        &["list-stream", "-s", "next", "--stream-base-url", &url],
        b"",
    )
    .quiet();
    assert_eq!(
        list,
        b"Architecture  Platform  Format\nx86_64        metal     raw.xz\n"
    );

    run(&["list-stream", "--stream-base-url", &url], b"").fails(
        1,
        &format!("error: {base}/streams/stable.json answered with HTTP status 404\n"),
    );
    let args = [
        "download",
        "-s",
        "next",
        "-a",
        "x86_64",
        "-f",
        "iso",
        "--stream-base-url",
        &url,
    ];
    run(&args, b"").fails(
        1,
        "error: cannot fetch the artifact\n\
         cause: stream next has no metal image in format iso for x86_64\n\
         hint:  `coreos-installer list-stream` shows what there is\n",
    );
}

#[test]
fn a_header_that_is_none_is_refused_without_its_value() {
    let base = serve(BTreeMap::new());
    let ran = run(
        &[
            "list-stream",
            "--stream-base-url",
            &base,
            "--http-header",
            "Authorization: Bearer s3cret",
            "--http-header",
            "no colon s3cret",
        ],
        b"",
    );
    ran.fails(1, "error: a header without colon; write `Name: value`\n");
}

#[test]
fn every_mirror_is_named_with_its_reason() {
    let (one, two) = (serve(BTreeMap::new()), serve(BTreeMap::new()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (url, mirror) = (format!("{one}/os.raw"), format!("{two}/d/"));
    let args = [
        "download",
        "--insecure",
        "-C",
        path,
        "-u",
        &url,
        "--mirror",
        &mirror,
    ];
    let ran = run(&args, b"");
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.err,
        format!(
            "warning: going on with {two}/d/os.raw, as {url} failed: \
             {url} answered with HTTP status 404\n\
             error: cannot fetch the artifact\n\
             cause: none of 2 places gives the file: {url} answered with HTTP status 404; \
             {two}/d/os.raw answered with HTTP status 404\n"
        )
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
