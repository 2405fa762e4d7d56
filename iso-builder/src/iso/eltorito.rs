//! El Torito (specification 1.0, UEFI 2.10 section 13.3.2.1): the boot catalogue, and the fields
//! that GRUB's BIOS image needs filled in once its place on the medium is known.

use super::layout::FileNode;
use super::{IsoError, SECTOR};

const PLATFORM_BIOS: u8 = 0;
const PLATFORM_EFI: u8 = 0xef;
const BOOTABLE: u8 = 0x88;
const LAST_SECTION: u8 = 0x91;
/// 512-byte sectors of the BIOS image that the firmware loads: GRUB's first stage, 2048 bytes.
const BIOS_LOAD: u16 = 4;

/// Boot information table: place and length of the image, read by GRUB's first stage.
const INFO_TABLE: usize = 8;
/// The checksum in the table covers 32-bit words from here on.
const INFO_CHECKED_FROM: usize = 64;
/// Where GRUB's second stage keeps the 512-byte sector number of what follows it.
const GRUB_BLOCK_LIST: usize = 2048 + 500;

/// The boot catalogue's sector.
pub(super) fn catalog(bios: Option<&FileNode>, efi: Option<&FileNode>) -> Vec<u8> {
    let mut out = Vec::new();
    let first = if bios.is_some() {
        PLATFORM_BIOS
    } else {
        PLATFORM_EFI
    };
    out.extend(validation(first));
    let entries = bios.map(|file| entry(file, BIOS_LOAD)).into_iter();
    for (number, bytes) in entries
        .chain(efi.map(|file| entry(file, efi_load(file))))
        .enumerate()
    {
        if number > 0 {
            let mut header = [0u8; 32];
            header[0] = LAST_SECTION;
            header[1] = PLATFORM_EFI;
            header[2] = 1;
            out.extend(header);
        }
        out.extend(bytes);
    }
    out.resize(SECTOR as usize, 0);
    out
}

fn validation(platform: u8) -> [u8; 32] {
    let mut out = [0u8; 32];
    out[0] = 1;
    out[1] = platform;
    out[30] = 0x55;
    out[31] = 0xaa;
    let sum = out.chunks_exact(2).fold(0u16, |sum, pair| match pair {
        [low, high] => sum.wrapping_add(u16::from_le_bytes([*low, *high])),
        _ => sum,
    });
    [out[28], out[29]] = sum.wrapping_neg().to_le_bytes();
    out
}

fn entry(file: &FileNode, load: u16) -> [u8; 32] {
    let mut out = [0u8; 32];
    out[0] = BOOTABLE;
    [out[6], out[7]] = load.to_le_bytes();
    [out[8], out[9], out[10], out[11]] = file.lba.to_le_bytes();
    out
}

/// The field has 16 bits; firmware takes 0 as "to the end of the medium".
fn efi_load(file: &FileNode) -> u16 {
    u16::try_from(file.size.div_ceil(512)).unwrap_or(0)
}

/// Fills in the fields of GRUB's BIOS image `bytes` that will lie at sector `lba`: the boot
/// information table for the start from CD and the block list for the start from disk.
pub(super) fn patch_grub(bytes: &mut [u8], lba: u32, path: &str) -> Result<(), IsoError> {
    let bad = || IsoError::BootImage(path.to_owned());
    let after_two_stages = u64::from(lba) * 4 + 5;
    put(bytes, GRUB_BLOCK_LIST, &after_two_stages.to_le_bytes()).ok_or_else(bad)?;
    let length = u32::try_from(bytes.len()).map_err(|_| bad())?;
    let checked = bytes.get(INFO_CHECKED_FROM..).ok_or_else(bad)?;
    let checksum = checked.chunks(4).fold(0u32, |sum, chunk| {
        let mut word = [0u8; 4];
        word.iter_mut()
            .zip(chunk)
            .for_each(|(to, from)| *to = *from);
        sum.wrapping_add(u32::from_le_bytes(word))
    });
    let table = [super::layout::FIRST_DESCRIPTOR, lba, length, checksum];
    put(bytes, INFO_TABLE, &table.map(u32::to_le_bytes).concat()).ok_or_else(bad)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes
        .get_mut(at..at.checked_add(value.len())?)?
        .copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_entry_sums_to_zero() {
        for platform in [PLATFORM_BIOS, PLATFORM_EFI] {
            let bytes = validation(platform);
            let sum = bytes.chunks(2).fold(0u16, |sum, p| {
                sum.wrapping_add(u16::from_le_bytes([p[0], p[1]]))
            });
            assert_eq!(sum, 0);
        }
    }

    #[test]
    fn image_too_short_for_its_second_stage_is_refused() {
        let mut short = vec![0u8; 2048];
        assert!(matches!(
            patch_grub(&mut short, 30, "x"),
            Err(IsoError::BootImage(_))
        ));
    }
}
