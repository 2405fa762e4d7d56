//! What each way of checking a frame's content finds.

use super::*;
use crate::pipeline::pool::Pool;

const LENGTH: u32 = 4096;

fn content() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(LENGTH as usize).collect()
}

fn frame(checksum: bool) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.include_checksum(checksum).unwrap();
    compressor.compress(&content()).unwrap()
}

/// Checks `frame` against an entry that lists it, with `listed` as its content.
fn check(content: Content, frame: &[u8], listed: &[u8]) -> Result<Vec<u8>, Fault> {
    let chunk = Chunk {
        offset: 0,
        length: LENGTH,
        sha256: Sha256Digest::of(listed),
        frame_offset: 0,
        frame_length: frame.len().try_into().unwrap(),
        frame_sha256: Sha256Digest::of(frame),
    };
    let pool = Pool::new(1, || AlignedBuf::zeroed(LENGTH as usize));
    let mut decoder = Decompressor::new().unwrap();
    CheckedChunk::check(&chunk, content, frame, &mut decoder, pool.take().unwrap())
        .map(|checked| checked.bytes().to_vec())
        .map_err(|(fault, _)| fault)
}

#[test]
fn the_listed_frame_with_the_listed_content_is_taken_either_way() {
    for content_check in [Content::Checksum, Content::Digest] {
        for checksum in [true, false] {
            let bytes = check(content_check, &frame(checksum), &content()).unwrap();
            assert_eq!(bytes, content());
        }
    }
}

#[test]
fn a_packers_fault_is_found_by_digest_and_where_there_is_no_checksum() {
    for (content_check, checksum) in [(Content::Digest, true), (Content::Checksum, false)] {
        let fault = check(content_check, &frame(checksum), b"other").unwrap_err();
        let Fault::Content(reason) = fault else {
            panic!("{fault:?}");
        };
        assert_eq!(reason, "its 4096 bytes are others than listed");
    }
}

#[test]
fn a_decoders_fault_is_found_by_the_frames_own_checksum() {
    let mut frame = frame(true);
    *frame.last_mut().unwrap() ^= 1;
    let fault = check(Content::Checksum, &frame, &content()).unwrap_err();
    let Fault::Content(reason) = fault else {
        panic!("{fault:?}");
    };
    assert!(reason.contains("checksum"), "{reason}");
}
