//! Decoding well and decoding badly: borders, continuations, trailing data, cuts, flipped bits.

use std::io::{BufReader, Write as _};

use super::*;

const MEMORY: u64 = 256 << 20;

fn sample() -> Vec<u8> {
    (0..300_000u32)
        .flat_map(|n| (n / 7).to_le_bytes())
        .collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(data).unwrap();
    gz.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(data).unwrap();
    xz.finish().unwrap()
}

fn zst(data: &[u8]) -> Vec<u8> {
    let mut zst = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zst.include_checksum(true).unwrap();
    zst.write_all(data).unwrap();
    zst.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const COMPRESSORS: [(Format, Compress); 3] =
    [(Format::Gzip, gzip), (Format::Xz, xz), (Format::Zstd, zst)];

/// Decodes from a reader that gives few bytes at a time, so that every border is crossed.
fn decode(bytes: &[u8], block: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::detect(BufReader::with_capacity(block, bytes), MEMORY)?;
    let mut out = Vec::new();
    let mut buf = vec![0u8; 10_000];
    loop {
        match decoder.read(&mut buf)? {
            0 => return Ok(out),
            n => out.extend_from_slice(&buf[..n]),
        }
    }
}

#[test]
fn every_format_decodes_to_the_same_bytes_whatever_the_block_size() {
    let data = sample();
    for (format, compress) in COMPRESSORS {
        for block in [1, 7, 4096, 1 << 20] {
            assert!(
                decode(&compress(&data), block).unwrap() == data,
                "{format}, {block}"
            );
        }
    }
    assert!(decode(&data, 7).unwrap() == data);
}

#[test]
fn members_of_the_same_format_may_follow_each_other() {
    let data = sample();
    for (format, compress) in COMPRESSORS {
        let twice = [compress(&data), compress(b"tail")].concat();
        let want = [&data[..], b"tail"].concat();
        for block in [1, 4096, 1 << 20] {
            assert!(decode(&twice, block).unwrap() == want, "{format}, {block}");
        }
    }
}

#[test]
fn xz_padding_and_skippable_zstd_frames_hold_no_data() {
    let padded = [xz(b"a"), vec![0; 8], xz(b"b"), vec![0; 4]].concat();
    assert_eq!(decode(&padded, 3).unwrap(), b"ab");
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frames = [&skippable[..], &zst(b"a"), &skippable, &zst(b"b")].concat();
    assert_eq!(decode(&frames, 3).unwrap(), b"ab");
}

#[test]
fn anything_after_the_end_is_an_error_with_its_place() {
    let data = sample();
    for (format, compress) in COMPRESSORS {
        let compressed = compress(&data);
        for tail in [&b"x"[..], b"0123456789", &[0; 3], &b"\x1f\x8c...."[..]] {
            let bytes = [&compressed, tail].concat();
            match decode(&bytes, 4096).unwrap_err() {
                DecodeError::TrailingData { format: f, at } => {
                    assert_eq!((f, at), (format, compressed.len() as u64));
                }
                other => panic!("{format}: {other:?}"),
            }
        }
    }
    // Another format is no continuation either.
    let mixed = [gzip(&data), xz(&data)].concat();
    assert!(matches!(
        decode(&mixed, 4096),
        Err(DecodeError::TrailingData { .. })
    ));
}

#[test]
fn a_cut_anywhere_is_a_truncation() {
    let data = sample();
    for (format, compress) in COMPRESSORS {
        let compressed = compress(&data);
        for at in (8..compressed.len())
            .step_by(compressed.len() / 50 + 1)
            .chain([compressed.len() - 1])
        {
            match decode(&compressed[..at], 4096).unwrap_err() {
                DecodeError::Truncated { format: f, at: got } => {
                    assert_eq!((f, got), (format, at as u64));
                }
                other => panic!("{format} at {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_flipped_bit_never_decodes_to_other_bytes() {
    let data = sample();
    for (format, compress) in COMPRESSORS {
        let compressed = compress(&data);
        // Before, a gzip header has fields that mean nothing.
        for at in (10..compressed.len()).step_by(compressed.len() / 60 + 1) {
            let mut bytes = compressed.clone();
            bytes[at] ^= 0x04;
            if let Ok(decoded) = decode(&bytes, 4096) {
                assert!(decoded == data, "{format}: a flip at {at} went unnoticed");
            }
        }
    }
}

#[test]
fn what_is_no_image_is_named() {
    let cases: [(&[u8], &str); 4] = [
        (b"BZh91AY&SY", "bzip2 data"),
        (b"QFI\xfb\0\0\0\x03", "a qcow2 image"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"PK\x03\x04....", "a zip archive"),
    ];
    for (bytes, expected) in cases {
        match decode(bytes, 3).unwrap_err() {
            DecodeError::Unsupported { what } => assert_eq!(what, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(decode(b"", 3), Err(DecodeError::Empty)));
}

/// Gives some bytes and fails then.
struct Failing(usize);

impl io::Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.0);
        if n == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        buf[..n].fill(0x1f);
        self.0 -= n;
        Ok(n)
    }
}

#[test]
fn a_failing_reader_is_no_damaged_image() {
    let mut decoder = Decoder::detect(BufReader::new(Failing(10_000)), MEMORY).unwrap();
    let mut buf = [0; 4096];
    let error = loop {
        match decoder.read(&mut buf) {
            Ok(n) => assert_ne!(n, 0, "a failure is no end"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, DecodeError::Input { at: 10_000, .. }),
        "{error:?}"
    );
}

#[test]
fn what_takes_more_memory_than_there_is_is_refused_with_what_it_takes() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(23).unwrap();
    encoder.write_all(&sample()).unwrap();
    let frame = encoder.finish().unwrap();
    for (format, bytes) in [(Format::Zstd, frame), (Format::Xz, xz(&sample()))] {
        let limit = 1 << 20;
        let decoded =
            Decoder::detect(&bytes[..], limit).and_then(|mut decoder| decoder.read(&mut [0; 100]));
        match decoded.unwrap_err() {
            DecodeError::Memory {
                format: f,
                need,
                limit: l,
            } => {
                assert_eq!((f, l), (format, limit));
                assert!(need > limit, "{need}");
            }
            other => panic!("{format}: {other:?}"),
        }
        let mut decoder = Decoder::detect(&bytes[..], 16 << 20).unwrap();
        assert_ne!(decoder.read(&mut [0; 100]).unwrap(), 0);
    }
}
