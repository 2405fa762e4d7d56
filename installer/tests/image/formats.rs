//! Every compression, from a file: bit for bit on the disk, or refused.

use installer::decode::DecodeError;
use installer::install::{DiskState, InstallCause, InstallError, Installed, Request};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::verify::Trust;

use crate::disk::{LoopDisk, OLD, assert_unbootable, partitions};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};

const DISK: usize = 64 * 1024 * 1024;

/// The error of the decoder, if that is what failed.
fn decode_error(error: &InstallError) -> Option<&DecodeError> {
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Decode { source, .. })) => Some(source),
        _ => None,
    }
}

fn install_signed(bytes: &[u8], disk: &LoopDisk) -> Result<Installed, Box<InstallError>> {
    let signer = Signer::new();
    let published = Published::new("os.img", bytes, Some(&signer.sign(bytes)), &signer);
    run(request(&published, disk))
}

fn is_on_the_disk(extension: &str, sector: u32) {
    let disk = or_skip!("is_on_the_disk", LoopDisk::new(DISK, sector));
    let raw = raw(sector.into());
    let installed = install_signed(&compress(&raw, extension), &disk).unwrap();
    assert_eq!(installed.size, SIZE as u64);
    assert!(matches!(installed.trust, Trust::Signature { .. }));
    let bytes = disk.bytes();
    assert!(bytes[..SIZE] == raw[..], "the disk is not the image");
    assert!(
        bytes[SIZE..DISK - 64 * 1024].iter().all(|b| *b == OLD),
        "written beyond the image"
    );
}

#[test]
fn a_raw_image_is_on_the_disk_bit_for_bit() {
    is_on_the_disk("raw", 512);
}

#[test]
fn a_gzip_image_is_on_the_disk_bit_for_bit() {
    is_on_the_disk("gz", 512);
}

#[test]
fn an_xz_image_is_on_the_disk_bit_for_bit() {
    is_on_the_disk("xz", 512);
}

#[test]
fn an_xz_image_of_several_blocks_is_on_the_disk_bit_for_bit() {
    is_on_the_disk("blocks.xz", 512);
}

#[test]
fn a_zstd_image_is_on_the_disk_bit_for_bit() {
    is_on_the_disk("zst", 512);
}

#[test]
fn an_image_for_4096_byte_sectors_is_on_such_a_disk_bit_for_bit() {
    is_on_the_disk("zst", 4096);
}

#[test]
fn an_image_that_takes_more_memory_than_there_is_leaves_the_disk_as_it_was() {
    let disk = or_skip!("memory", LoopDisk::new(DISK, 512));
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(26).unwrap();
    std::io::Write::write_all(&mut encoder, &raw(512)).unwrap();
    let bytes = encoder.finish().unwrap();
    let signer = Signer::new();
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(&bytes)), &signer);
    let with = |memory: &str| {
        run(Request {
            memory: memory.parse().unwrap(),
            ..request(&published, &disk)
        })
    };
    let error = with("64MiB").unwrap_err();
    assert_eq!(error.state, DiskState::Untouched);
    match decode_error(&error) {
        Some(DecodeError::Memory { need, limit, .. }) => {
            assert!((64 << 20..65 << 20).contains(need), "{need}");
            assert!(*limit < 64 << 20, "{limit}");
        }
        other => panic!("{other:?}"),
    }
    assert!(disk.bytes().iter().all(|b| *b == OLD), "written to");
    assert!(with("128MiB").is_ok());
}

/// The shape of CVE-2021-20319: a well-formed gzip member that ends before the signed bytes do.
#[test]
fn data_after_the_end_of_a_well_formed_gzip_leaves_the_disk_unbootable() {
    let disk = or_skip!("data_after_gzip", LoopDisk::new(DISK, 512));
    let mut bytes = compress(&raw(512), "gz");
    let end = bytes.len() as u64;
    bytes.extend_from_slice(b"more");
    let error = install_signed(&bytes, &disk).unwrap_err();
    assert!(
        matches!(decode_error(&error), Some(DecodeError::TrailingData { at, .. }) if *at == end),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn data_after_the_end_of_any_compression_leaves_the_disk_unbootable() {
    let raw = raw(512);
    for extension in ["xz", "zst"] {
        let disk = or_skip!("data_after", LoopDisk::new(DISK, 512));
        let mut bytes = compress(&raw, extension);
        let end = bytes.len() as u64;
        bytes.extend_from_slice(b"more");
        let error = install_signed(&bytes, &disk).unwrap_err();
        let trailing = decode_error(&error);
        assert!(
            matches!(trailing, Some(DecodeError::TrailingData { at, .. }) if *at == end),
            "{extension}: {error:?}"
        );
        assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}

#[test]
fn a_wrong_signature_over_a_well_formed_gzip_leaves_the_disk_unbootable() {
    let disk = or_skip!("wrong_signature_gzip", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "gz");
    let published = Published::new("os.gz", &bytes, Some(&signer.sign(b"other")), &signer);
    let error = run(request(&published, &disk)).unwrap_err();
    let bad = |e: &InstallError| {
        matches!(
            &e.source,
            InstallCause::Seal(SealError::Image(ImageError::Verify(
                installer::verify::VerifyError::BadSignature { .. }
            )))
        )
    };
    assert!(bad(&error), "{error:?}");
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_truncated_image_of_any_compression_leaves_the_disk_unbootable() {
    let raw = raw(512);
    for extension in ["gz", "xz", "zst"] {
        let disk = or_skip!("truncated", LoopDisk::new(DISK, 512));
        let bytes = compress(&raw, extension);
        let error = install_signed(&bytes[..bytes.len() - 1000], &disk).unwrap_err();
        let truncated = matches!(decode_error(&error), Some(DecodeError::Truncated { .. }));
        assert!(truncated, "{extension}: {error:?}");
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}

#[test]
fn a_damaged_image_of_any_compression_leaves_the_disk_unbootable() {
    let raw = raw(512);
    for extension in ["gz", "xz", "zst"] {
        let disk = or_skip!("damaged", LoopDisk::new(DISK, 512));
        let mut bytes = compress(&raw, extension);
        let middle = bytes.len() * 3 / 4;
        bytes[middle] ^= 0x10;
        let error = install_signed(&bytes, &disk).unwrap_err();
        let damaged = decode_error(&error).is_some_and(|e| {
            matches!(
                e,
                DecodeError::Corrupt { .. } | DecodeError::TrailingData { .. }
            )
        });
        assert!(damaged, "{extension}: {error:?}");
        assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}

#[test]
fn something_that_is_no_disk_image_does_not_touch_the_disk() {
    let disk = or_skip!("no_disk_image", LoopDisk::new(DISK, 512));
    for (bytes, what) in [
        (&b"<html>404"[..], "web page"),
        (b"QFI\xfb\0\0\0\x03", "qcow2"),
        (b"", "empty"),
    ] {
        let error = install_signed(bytes, &disk).unwrap_err();
        assert_eq!(error.state, DiskState::Untouched, "{what}");
        assert!(
            decode_error(&error).unwrap().to_string().contains(what),
            "{error:?}"
        );
    }
    assert!(disk.bytes().iter().all(|b| *b == OLD));
    assert!(partitions(&disk.bytes(), 512).is_none());
}
