//! Servers that lie about the length of what they send, or send it in the oddest pieces.

use installer::decode::DecodeError;
use installer::install::{DiskState, InstallCause, InstallError};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Access, Location, SourceError};

use crate::disk::{LoopDisk, assert_unbootable};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{request, run};
use crate::server::{Answer, Server};

const DISK: usize = 64 * 1024 * 1024;

/// Installs what a server sends that answers with `head` and then with what `body` makes of the
/// image.
fn install(
    test: &'static str,
    head: impl FnOnce(usize) -> String,
    body: impl FnOnce(&[u8]) -> Vec<u8>,
    singly: usize,
) -> Option<(Result<(), InstallError>, LoopDisk, usize)> {
    let disk = match LoopDisk::new(DISK, 512) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIP: {test}: {reason}");
            return None;
        }
    };
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign(&bytes);
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    let mut answer = format!(
        "HTTP/1.1 200 X\r\nConnection: close\r\n{}\r\n",
        head(bytes.len())
    );
    answer.push_str("\r\n");
    let mut answer = answer.into_bytes();
    answer.extend(body(&bytes));
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(signature)]),
        ("/os.zst", vec![Answer::Raw(answer, singly)]),
    ]);
    let mut request = request(&published, &disk);
    request.source = Location::Url {
        url: server.url("/os.zst"),
        mirrors: Vec::new(),
        access: Access::default(),
    };
    let outcome = run(request).map(|_| ()).map_err(|error| *error);
    Some((outcome, disk, bytes.len()))
}

fn image_error(error: &InstallError) -> &ImageError {
    match &error.source {
        InstallCause::Seal(SealError::Image(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_that_dribbles_in_is_on_the_disk() {
    let whole = |bytes: &[u8]| bytes.to_vec();
    let length = |len| format!("Content-Length: {len}");
    let Some((outcome, disk, _)) = install("dribble", length, whole, 3000) else {
        return;
    };
    outcome.unwrap();
    assert!(disk.bytes()[..SIZE] == raw(512)[..]);
}

#[test]
fn a_length_that_is_too_long_is_a_transfer_that_broke_off_at_the_images_end() {
    let whole = |bytes: &[u8]| bytes.to_vec();
    let length = |len| format!("Content-Length: {}", len + 1);
    let Some((outcome, disk, len)) = install("too_long", length, whole, 0) else {
        return;
    };
    let error = outcome.unwrap_err();
    match image_error(&error) {
        ImageError::Source(SourceError::Read { offset, .. }) => assert_eq!(*offset, len as u64),
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_length_that_is_too_short_is_an_image_that_ends_in_the_middle() {
    let whole = |bytes: &[u8]| bytes.to_vec();
    let length = |len| format!("Content-Length: {}", len - 1);
    let Some((outcome, disk, _)) = install("too_short", length, whole, 0) else {
        return;
    };
    let error = outcome.unwrap_err();
    let truncated = matches!(
        image_error(&error),
        ImageError::Decode {
            source: DecodeError::Truncated { .. },
            ..
        }
    );
    assert!(truncated, "{error:?}");
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_body_in_chunks_needs_its_last_chunk() {
    for (end, is_good) in [("0\r\n\r\n", true), ("", false)] {
        let chunks = |bytes: &[u8]| {
            let mut body = format!("{:x}\r\n", bytes.len()).into_bytes();
            body.extend(bytes);
            body.extend(b"\r\n");
            body.extend(end.as_bytes());
            body
        };
        let head = |_| "Transfer-Encoding: chunked".to_owned();
        let Some((outcome, disk, len)) = install("chunked", head, chunks, 0) else {
            return;
        };
        if is_good {
            outcome.unwrap();
            assert!(disk.bytes()[..SIZE] == raw(512)[..]);
            continue;
        }
        let error = outcome.unwrap_err();
        match image_error(&error) {
            ImageError::Source(SourceError::Read { offset, .. }) => {
                assert_eq!(*offset, len as u64);
            }
            other => panic!("{other:?}"),
        }
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}
