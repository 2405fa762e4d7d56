//! Blocks decoded beside each other: the same bytes and the same verdicts as one after another, and
//! nothing believed that was not decoded.

use std::fs::File;
use std::io::{Cursor, Read, Write as _};
use std::sync::OnceLock;

use liblzma::stream::MtStreamBuilder;

use super::*;
use crate::decode::Format;
use crate::observe::Silent;
use crate::pipeline::{Decoding, Order, Pipeline, Reading};
use crate::source::{DigestAuthority, ExpectedDigest, Signature};
use crate::verify::{Keyring, SignaturePolicy, Trust};

const MEMORY: &str = "64MiB";

/// Five blocks and a bit, the third all zeroes.
fn sample() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..1_350_000u32)
        .flat_map(|n| (n / 3).to_le_bytes())
        .collect();
    bytes[2 * CHUNK..3 * CHUNK].fill(0);
    bytes
}

fn compress(data: &[u8], block: u64) -> Vec<u8> {
    let mut builder = MtStreamBuilder::new();
    let stream = builder.threads(1).block_size(block).preset(0).encoder();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.unwrap());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn file() -> Vec<u8> {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| compress(&sample(), CHUNK as u64))
        .clone()
}

/// A source whose check reads `checked` and whose decoders read `decoded`.
fn stream(checked: Vec<u8>, decoded: &[u8], sha256: Option<Sha256Digest>) -> ImageStream {
    let mut local = tempfile::tempfile().unwrap();
    local.write_all(decoded).unwrap();
    ImageStream {
        length: Some(checked.len() as u64),
        reader: Box::new(Cursor::new(checked)),
        name: "image".into(),
        signature: Signature::Absent {
            looked_at: "nowhere".into(),
            status: None,
        },
        digest: sha256.map(|sha256| ExpectedDigest {
            sha256,
            authority: DigestAuthority::User,
        }),
        sector_size: None,
        local: Some(Arc::new(local)),
        remote: None,
    }
}

fn check(stream: &ImageStream) -> Check {
    Check::prepare(stream, SignaturePolicy::TolerateAbsent, &Keyring::empty()).unwrap()
}

fn plan(stream: &ImageStream, memory: &str) -> Option<Plan> {
    Plan::of(stream, memory.parse().unwrap(), 4).unwrap()
}

fn start(stream: ImageStream, cancel: &Cancel) -> Indexed {
    let (plan, check) = (plan(&stream, MEMORY).unwrap(), check(&stream));
    Indexed::start(stream, check, Ok(plan), cancel)
}

fn drain(path: &mut Indexed) -> Result<Vec<u8>, ImageError> {
    let mut out = vec![0xee; sample().len()];
    let mut written = 0;
    while let Some(chunk) = path.next()? {
        assert!(
            written > 0 || chunk.offset == 0,
            "the first piece is not first"
        );
        let at = usize::try_from(chunk.offset).unwrap();
        assert!(at.is_multiple_of(4096));
        out[at..at + chunk.len()].copy_from_slice(&chunk);
        written += chunk.len();
    }
    assert_eq!(written, out.len());
    Ok(out)
}

/// What a decoder that reads from the start makes of it.
fn streamed(bytes: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    let mut stream = stream(bytes, b"", None);
    stream.local = None;
    let reading = Reading {
        decoding: Decoding::Detect,
        order: Order::Any,
        memory: MEMORY.parse().unwrap(),
    };
    let check = check(&stream);
    let mut pipeline = Pipeline::start(stream, check, reading, &Cancel::new());
    let mut out = Vec::new();
    while let Some(chunk) = pipeline.next(&Silent)? {
        out.extend_from_slice(&chunk);
    }
    Ok(out)
}

#[test]
fn every_piece_comes_once_and_the_verdict_is_about_the_whole_file() {
    let file = file();
    for sha256 in [None, Some(Sha256Digest::of(&file))] {
        let mut path = start(stream(file.clone(), &file, sha256), &Cancel::new());
        assert!(drain(&mut path).unwrap() == sample());
        assert!(path.next().unwrap().is_none(), "the end stays the end");
        let verified = path.finish().unwrap();
        let trust = sha256.map_or(Trust::InsecureChoice, Trust::Digest);
        assert_eq!(verified.trust(), &trust);
        assert_eq!(verified.source_bytes(), file.len() as u64);
    }
}

#[test]
fn there_is_no_verdict_before_the_last_piece_was_taken() {
    let file = file();
    let sha256 = Some(Sha256Digest::of(&file));
    let mut path = start(stream(file.clone(), &file, sha256), &Cancel::new());
    assert!(path.next().unwrap().is_some());
    let error = path.finish().unwrap_err();
    assert!(
        matches!(error, ImageError::Verify(VerifyError::Incomplete { .. })),
        "{error:?}"
    );
}

#[test]
fn another_digest_is_refused_after_everything_was_read() {
    let file = file();
    let other = Some(Sha256Digest::of(b"another image"));
    let mut path = start(stream(file.clone(), &file, other), &Cancel::new());
    drain(&mut path).unwrap();
    let error = path.finish().unwrap_err();
    assert!(
        matches!(error, ImageError::Verify(VerifyError::Digest { .. })),
        "{error:?}"
    );
}

/// The check saw good bytes; the decoders, which read the file again, saw others.
#[test]
fn what_is_decoded_must_be_what_was_checked() {
    let good = file();
    let mut other = sample();
    // In the last block, which keeps its length.
    let last = other.len() - 1;
    other[last] ^= 1;
    let other = compress(&other, CHUNK as u64);
    assert_eq!(good.len(), other.len());
    let sha256 = Some(Sha256Digest::of(&good));
    let mut path = start(stream(good, &other, sha256), &Cancel::new());
    let error = drain(&mut path).unwrap_err();
    assert!(
        matches!(error, ImageError::Source(SourceError::ChangedFile { .. })),
        "{error:?}"
    );
    assert!(path.finish().is_err());
}

#[test]
fn a_flipped_bit_has_the_same_verdict_as_in_a_stream() {
    let file = file();
    let step = file.len() / 20 + 1;
    let tail = file.len() - 40;
    for at in (0..file.len())
        .step_by(step)
        .chain((tail..file.len()).step_by(3))
    {
        let mut bytes = file.clone();
        bytes[at] ^= 0x04;
        let source = stream(bytes.clone(), &bytes, None);
        let check = check(&source);
        let got = match Plan::of(&source, MEMORY.parse().unwrap(), 4).transpose() {
            // Read as a stream, then.
            None => continue,
            Some(plan) => drain(&mut Indexed::start(source, check, plan, &Cancel::new())),
        };
        match (got, streamed(bytes)) {
            (
                Err(ImageError::Decode { name, source }),
                Err(ImageError::Decode { source: other, .. }),
            ) => {
                assert_eq!(name, "image");
                let kind = |error: &DecodeError| {
                    matches!(
                        error,
                        DecodeError::Corrupt {
                            format: Format::Xz,
                            ..
                        }
                    )
                };
                assert!(kind(&source) && kind(&other), "{at}: {source:?}, {other:?}");
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn what_has_no_layout_of_several_aligned_blocks_is_left_to_the_streaming_decoder() {
    let file = file();
    let cases = [
        ("cut", file[..file.len() - 5].to_vec()),
        ("trailing data", [&file[..], b"tail"].concat()),
        ("stream padding", [&file[..], &[0; 8]].concat()),
        ("two streams", [&file[..], &file].concat()),
        ("one block", compress(&sample(), 1 << 30)),
        ("a short first block", compress(&sample(), 512 * 1024)),
        ("unaligned blocks", compress(&sample(), CHUNK as u64 + 1)),
        ("raw", sample()),
    ];
    for (what, bytes) in cases {
        let source = stream(bytes.clone(), &bytes, None);
        assert!(plan(&source, MEMORY).is_none(), "{what}");
    }
    let mut source = stream(file.clone(), &file, None);
    source.local = None;
    assert!(plan(&source, MEMORY).is_none(), "not a file");
}

#[test]
fn as_many_blocks_are_decoded_at_once_as_there_is_memory_for() {
    let file = file();
    let source = stream(file.clone(), &file, None);
    let workers = |memory| plan(&source, memory).map(|plan| plan.workers);
    // Each takes 256 KiB of dictionary, 1 MiB beside that and 3 MiB of chunks; 2 MiB are the source's.
    assert_eq!(workers("16MiB"), Some(3));
    assert_eq!(workers("64MiB"), Some(4), "as many as processors");
    let large = compress_with_large_dictionary();
    let source = stream(large.clone(), &large, None);
    let workers = |memory| plan(&source, memory).map(|plan| plan.workers);
    assert_eq!(workers("100MiB"), None, "one at a time is a stream");
    assert_eq!(workers("160MiB"), Some(2));
}

fn compress_with_large_dictionary() -> Vec<u8> {
    let mut builder = MtStreamBuilder::new();
    let stream = builder
        .threads(1)
        .block_size(CHUNK as u64)
        .preset(9)
        .encoder();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.unwrap());
    encoder.write_all(&vec![7; 3 * CHUNK]).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn of_several_damaged_blocks_the_first_is_told() {
    let mut file = file();
    let layout = {
        let source = stream(file.clone(), &file, None);
        plan(&source, MEMORY).unwrap().file.blocks().to_vec()
    };
    for number in [1, 3, 4] {
        let end = usize::try_from(layout[number].end()).unwrap();
        file[end - 100] ^= 1;
    }
    for _ in 0..10 {
        let mut path = start(stream(file.clone(), &file, None), &Cancel::new());
        match drain(&mut path).unwrap_err() {
            ImageError::Decode {
                source: DecodeError::Corrupt { at, .. },
                ..
            } => assert!((layout[1].offset..=layout[1].end()).contains(&at), "{at}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_damaged_first_block_ends_it_before_a_piece_is_given() {
    let mut file = file();
    file[200] ^= 1;
    let mut path = start(stream(file.clone(), &file, None), &Cancel::new());
    let error = path.next().unwrap_err();
    assert!(matches!(error, ImageError::Decode { .. }), "{error:?}");
}

#[test]
fn an_index_that_lies_is_told_before_a_piece_is_given() {
    let mut file = file();
    let index = file.len() - 20;
    file[index] ^= 1;
    let source = stream(file.clone(), &file, None);
    let (check, plan) = (
        check(&source),
        Plan::of(&source, MEMORY.parse().unwrap(), 4),
    );
    let plan = plan.transpose().unwrap();
    let mut path = Indexed::start(source, check, plan, &Cancel::new());
    let error = path.next().unwrap_err();
    match &error {
        ImageError::Decode {
            source: DecodeError::Corrupt { source, .. },
            ..
        } => assert!(source.to_string().contains("the index at byte"), "{source}"),
        other => panic!("{other:?}"),
    }
    assert!(path.finish().is_err());
}

/// Gives a little and waits for ever.
struct Stalled;

impl Read for Stalled {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn it_can_be_stopped_at_any_time() {
    let file = file();
    let cancel = Cancel::new();
    let mut path = start(stream(file.clone(), &file, None), &cancel);
    assert!(path.next().unwrap().is_some());
    cancel.cancel();
    assert!(matches!(path.next(), Err(ImageError::Cancelled(_))));
    assert!(matches!(path.finish(), Err(ImageError::Cancelled(_))));
}

#[test]
fn a_check_that_sees_nothing_gives_no_verdict() {
    let file = file();
    let mut source = stream(file.clone(), &file, Some(Sha256Digest::of(&file)));
    source.reader = Box::new(Stalled);
    let cancel = Cancel::new();
    let mut path = start(source, &cancel);
    for _ in 0..sample().len().div_ceil(CHUNK) {
        assert!(path.next().unwrap().is_some());
    }
    // All is decoded, and the check waits for the first byte.
    let asked = cancel.clone();
    let user = std::thread::spawn(move || asked.cancel());
    assert!(matches!(path.next(), Err(ImageError::Cancelled(_))));
    user.join().unwrap();
    assert!(matches!(path.finish(), Err(ImageError::Cancelled(_))));
}

#[test]
fn a_file_that_shrinks_is_a_source_that_failed() {
    let file = file();
    let source = stream(file.clone(), &file, None);
    let local: Arc<File> = source.local.clone().unwrap();
    let (plan, check) = (plan(&source, MEMORY).unwrap(), check(&source));
    local.set_len(100).unwrap();
    let mut path = Indexed::start(source, check, Ok(plan), &Cancel::new());
    let error = drain(&mut path).unwrap_err();
    assert!(
        matches!(error, ImageError::Source(SourceError::Read { .. })),
        "{error:?}"
    );
}
