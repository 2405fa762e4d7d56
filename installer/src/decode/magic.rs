//! What the first bytes of a file say about its format.

use super::Format;

/// How many bytes [`format_of`] wants to see.
pub(crate) const LEN: usize = 8;

/// Formats that somebody may take for a disk image and that must not be written as one.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"BZh", "bzip2 data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"QFI\xfb", "a qcow2 image"),
    (b"KDMV", "a VMDK image"),
    (b"conectix", "a VHD image"),
    (b"vhdxfile", "a VHDX image"),
    (b"\xff\xd8\xff", "a picture"),
    (b"<!DOCTYP", "a web page"),
    (b"<!doctyp", "a web page"),
    (b"<html", "a web page"),
];

/// The format of a file that begins with `start`, or what it is instead.
pub(crate) fn format_of(start: &[u8]) -> Result<Format, &'static str> {
    if start.starts_with(b"\x1f\x8b") {
        return Ok(Format::Gzip);
    }
    if start.starts_with(b"\xfd7zXZ\0") {
        return Ok(Format::Xz);
    }
    if is_zstd(start) {
        return Ok(Format::Zstd);
    }
    match FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, what)) => Err(what),
        None => Ok(Format::Raw),
    }
}

/// A Zstandard frame or a skippable one (RFC 8878 sections 3.1.1 and 3.1.2).
fn is_zstd(start: &[u8]) -> bool {
    match start.first_chunk::<4>() {
        Some([0x28, 0xb5, 0x2f, 0xfd]) => true,
        Some([low, 0x2a, 0x4d, 0x18]) => low & 0xf0 == 0x50,
        _ => false,
    }
}
