//! The EFI programs of a FAT image, and whether each carries a signature (the certificate table of
//! the PE format; Secure Boot, UEFI 2.10 section 32.5). The signature itself is not checked: which
//! keys count is the firmware's to say.

use std::io::Read;

use embed::digest::Sha256Digest;
use fatfs::{FileSystem, FsOptions};
use installer::disk::Window;
use serde::Serialize;

/// Most directories below `EFI`, and files in each, that are looked at.
const MOST: usize = 64;
/// Largest program that is read, bytes.
const MAX_PROGRAM: u64 = 32 << 20;
/// What firmware starts on removable media (UEFI 2.10 section 3.5.1.1).
const FIRST: [&str; 2] = ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI"];
/// Optional header of 64-bit programs.
const PE32_PLUS: u16 = 0x20b;
/// Place of the certificate table's entry in that header: 112 bytes, four entries of 8.
const CERTIFICATES_AT: usize = 112 + 4 * 8;

/// A program that firmware or another program can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EfiProgram {
    /// Path in the FAT image.
    pub path: String,
    /// Size, bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
    /// Whether it carries a signature.
    pub signed: bool,
}

/// Whether firmware with Secure Boot has something to start among `programs`.
pub(super) fn secure_boot(programs: &[EfiProgram]) -> bool {
    programs.iter().any(|program| {
        program.signed
            && FIRST
                .iter()
                .any(|path| program.path.eq_ignore_ascii_case(path))
    })
}

/// The programs in directories below `EFI`, as far as the file system can be read.
pub(super) fn programs(image: Window) -> Vec<EfiProgram> {
    let Ok(fs) = FileSystem::new(image, FsOptions::new()) else {
        return Vec::new();
    };
    let Ok(efi) = fs.root_dir().open_dir("EFI") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for dir in efi
        .iter()
        .take(MOST)
        .flatten()
        .filter(|entry| entry.is_dir())
    {
        let name = dir.file_name();
        if name == "." || name == ".." {
            continue;
        }
        for file in dir.to_dir().iter().take(MOST).flatten() {
            let path = format!("EFI/{name}/{}", file.file_name());
            if file.is_file() && path.to_ascii_lowercase().ends_with(".efi") {
                found.extend(program(path, file.to_file()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn program(path: String, content: impl Read) -> Option<EfiProgram> {
    let mut bytes = Vec::new();
    content.take(MAX_PROGRAM).read_to_end(&mut bytes).ok()?;
    Some(EfiProgram {
        path,
        size: bytes.len() as u64,
        sha256: Sha256Digest::of(&bytes),
        signed: is_signed(&bytes).unwrap_or(false),
    })
}

/// Whether the PE file `bytes` has a certificate table that lies inside it.
fn is_signed(bytes: &[u8]) -> Option<bool> {
    let u32_at = |at: usize| {
        let field = bytes.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(field.try_into().ok()?)).ok()
    };
    let header = u32_at(0x3c)?;
    if !bytes.starts_with(b"MZ") || !bytes.get(header..)?.starts_with(b"PE\0\0") {
        return None;
    }
    let optional = header.checked_add(24)?;
    let magic = bytes.get(optional..optional.checked_add(2)?)?;
    if u16::from_le_bytes(magic.try_into().ok()?) != PE32_PLUS {
        return None;
    }
    let entry = optional.checked_add(CERTIFICATES_AT)?;
    let (start, size) = (u32_at(entry)?, u32_at(entry.checked_add(4)?)?);
    let end = start.checked_add(size)?;
    Some(size > 0 && end <= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pe(certificates: (u32, u32)) -> Vec<u8> {
        let mut out = vec![0u8; 0x200];
        out[..2].copy_from_slice(b"MZ");
        out[0x3c] = 0x40;
        out[0x40..0x44].copy_from_slice(b"PE\0\0");
        out[0x58..0x5a].copy_from_slice(&PE32_PLUS.to_le_bytes());
        let at = 0x58 + CERTIFICATES_AT;
        out[at..at + 4].copy_from_slice(&certificates.0.to_le_bytes());
        out[at + 4..at + 8].copy_from_slice(&certificates.1.to_le_bytes());
        out
    }

    #[test]
    fn a_program_is_signed_if_its_certificates_are_inside_it() {
        assert_eq!(is_signed(&pe((0x180, 0x80))), Some(true));
        assert_eq!(is_signed(&pe((0, 0))), Some(false));
        assert_eq!(is_signed(&pe((0x180, 0x81))), Some(false));
        assert_eq!(is_signed(&pe((u32::MAX, u32::MAX))), Some(false));
        assert_eq!(is_signed(b"MZ"), None);
        assert_eq!(is_signed(b"shim"), None);
    }
}
