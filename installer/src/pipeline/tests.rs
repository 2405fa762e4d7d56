//! Sources that trickle, break off, stall or lie about their length, and when there is a verdict.

use std::io::{Cursor, Read};

use embed::digest::Sha256Digest;

use super::*;
use crate::observe::Silent;
use crate::source::{DigestAuthority, ExpectedDigest, Signature};
use crate::verify::{Keyring, SignaturePolicy, Trust};

fn stream(reader: impl Read + Send + 'static, sha256: Option<Sha256Digest>) -> ImageStream {
    ImageStream {
        reader: Box::new(reader),
        name: "image".into(),
        length: None,
        signature: Signature::Absent {
            looked_at: "nowhere".into(),
            status: None,
        },
        digest: sha256.map(|sha256| ExpectedDigest {
            sha256,
            authority: DigestAuthority::LiveMedium,
        }),
        sector_size: None,
        local: None,
        remote: None,
    }
}

fn start(stream: ImageStream, cancel: &Cancel) -> Pipeline {
    let policy = SignaturePolicy::TolerateAbsent;
    let check = Check::prepare(&stream, policy, &Keyring::empty()).unwrap();
    Pipeline::start(stream, check, Reading::new(Decoding::Detect), cancel)
}

fn drain(pipeline: &mut Pipeline) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::new();
    while let Some(chunk) = pipeline.next(&Silent)? {
        assert_eq!(chunk.offset, out.len() as u64);
        out.extend_from_slice(&chunk);
    }
    Ok(out)
}

fn sample() -> Vec<u8> {
    (0..3_000_001u32)
        .map(|n| (n % 251).to_le_bytes()[0])
        .collect()
}

/// Gives a byte or a few at a time.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min(4093);
        self.0.read(&mut buf[..n])
    }
}

#[test]
fn chunks_come_in_order_and_the_verdict_is_about_every_byte() {
    let data = sample();
    let mut pipeline = start(
        stream(
            Trickle(Cursor::new(data.clone())),
            Some(Sha256Digest::of(&data)),
        ),
        &Cancel::new(),
    );
    assert!(drain(&mut pipeline).unwrap() == data);
    assert!(
        pipeline.next(&Silent).unwrap().is_none(),
        "the end stays the end"
    );
    let verified = pipeline.finish().unwrap();
    assert_eq!(verified.trust(), &Trust::Digest(Sha256Digest::of(&data)));
    assert_eq!(verified.source_bytes(), data.len() as u64);
}

#[test]
fn there_is_no_verdict_before_the_last_chunk_was_taken() {
    let data = sample();
    let sha256 = Some(Sha256Digest::of(&data));
    let mut pipeline = start(stream(Cursor::new(data), sha256), &Cancel::new());
    assert!(pipeline.next(&Silent).unwrap().is_some());
    let error = pipeline.finish().unwrap_err();
    assert!(
        matches!(error, ImageError::Verify(VerifyError::Incomplete { .. })),
        "{error:?}"
    );
}

#[test]
fn an_image_that_nobody_vouches_for_is_an_insecure_choice() {
    let mut pipeline = start(stream(Cursor::new(sample()), None), &Cancel::new());
    drain(&mut pipeline).unwrap();
    assert_eq!(pipeline.finish().unwrap().trust(), &Trust::InsecureChoice);
}

#[test]
fn a_source_of_another_length_than_promised_is_refused() {
    for (promised, got) in [(10, 9), (10, 11)] {
        let mut stream = stream(Cursor::new(vec![1; got]), None);
        stream.length = Some(promised);
        let error = drain(&mut start(stream, &Cancel::new())).unwrap_err();
        assert!(
            matches!(
                error,
                ImageError::Source(SourceError::Length { want: 10, .. })
            ),
            "{error:?}"
        );
    }
}

/// Fails after what it has.
struct Breaking(Cursor<Vec<u8>>);

impl Read for Breaking {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(std::io::ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

#[test]
fn a_source_that_breaks_off_is_named_with_its_place_whatever_the_format() {
    let gzip = {
        use std::io::Write as _;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&sample()).unwrap();
        gz.finish().unwrap()
    };
    for data in [sample(), gzip] {
        let len = data.len() as u64;
        let error = drain(&mut start(
            stream(Breaking(Cursor::new(data)), None),
            &Cancel::new(),
        ));
        match error.unwrap_err() {
            ImageError::Source(SourceError::Read { name, offset, .. }) => {
                assert_eq!((name.as_str(), offset), ("image", len));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Never gives anything and never ends.
struct Stalled;

impl Read for Stalled {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_stalled_source_can_be_left_by_asking_to_stop() {
    let cancel = Cancel::new();
    let mut pipeline = start(stream(Stalled, Some(Sha256Digest::of(b""))), &cancel);
    cancel.cancel();
    assert!(matches!(
        pipeline.next(&Silent),
        Err(ImageError::Cancelled(_))
    ));
}

#[test]
fn a_consumer_that_leaves_early_stops_the_source() {
    /// Endless, and says when it is dropped.
    struct Endless(std::sync::mpsc::Sender<()>);
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            buf.fill(1);
            Ok(buf.len())
        }
    }
    impl Drop for Endless {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (sender, dropped) = std::sync::mpsc::channel();
    let mut pipeline = start(stream(Endless(sender), None), &Cancel::new());
    assert!(pipeline.next(&Silent).unwrap().is_some());
    drop(pipeline);
    dropped.recv().unwrap();
}

#[test]
fn compressed_bytes_that_are_taken_as_they_are_stay_compressed() {
    use std::io::Write as _;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(&sample()).unwrap();
    let compressed = gz.finish().unwrap();
    let stream = stream(Trickle(Cursor::new(compressed.clone())), None);
    let policy = SignaturePolicy::TolerateAbsent;
    let check = Check::prepare(&stream, policy, &Keyring::empty()).unwrap();
    let reading = Reading::new(Decoding::AsIs);
    let mut pipeline = Pipeline::start(stream, check, reading, &Cancel::new());
    assert!(drain(&mut pipeline).unwrap() == compressed);
}

#[test]
fn an_image_in_any_form_fits_into_the_smallest_memory() {
    let reading = Reading {
        memory: MemoryBudget::LEAST,
        ..Reading::new(Decoding::Detect)
    };
    for bytes in [sample(), zstd::bulk::compress(&sample(), 1).unwrap()] {
        let stream = stream(Cursor::new(bytes), None);
        let policy = SignaturePolicy::TolerateAbsent;
        let check = Check::prepare(&stream, policy, &Keyring::empty()).unwrap();
        let mut pipeline = Pipeline::start(stream, check, reading, &Cancel::new());
        assert!(drain(&mut pipeline).unwrap() == sample());
    }
}
