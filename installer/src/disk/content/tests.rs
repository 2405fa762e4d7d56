//! Magic numbers where the formats put them.

use super::*;

fn with(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0u8; LEN];
    for (at, part) in parts {
        bytes[*at..at + part.len()].copy_from_slice(part);
    }
    bytes
}

#[test]
fn file_systems_are_known_by_magic_and_label() {
    for (parts, kind, label) in [
        (&[(0x438, &b"\x53\xef"[..])][..], "ext2", ""),
        (
            &[(0x438, b"\x53\xef"), (0x45c, b"\x04"), (0x478, b"boot")],
            "ext3",
            "boot",
        ),
        (&[(0x438, b"\x53\xef"), (0x460, b"\x40")], "ext4", ""),
        (
            &[(0, b"XFSB"), (108, b"abcdefghijkl")],
            "xfs",
            "abcdefghijkl",
        ),
        (
            &[(0x52, b"FAT32   "), (0x47, b"EFI-SYSTEM ")],
            "vfat",
            "EFI-SYSTEM",
        ),
        (&[(0x36, b"FAT16   "), (0x2b, b"NO NAME    ")], "vfat", ""),
        (&[(0, b"LUKS\xba\xbe")], "crypto_LUKS", ""),
        (
            &[(0x8001, b"CD001"), (0x8028, b"live\x1b[0m      ")],
            "iso9660",
            "live[0m",
        ),
        (
            &[(0x1_0040, b"_BHRfS_M"), (0x1_012b, b"data")],
            "btrfs",
            "data",
        ),
    ] {
        let held = recognise(&with(parts)).unwrap();
        assert_eq!((held.kind, held.label.as_str()), (kind, label));
    }
}

#[test]
fn what_is_unknown_or_cut_short_is_nothing() {
    assert_eq!(recognise(&with(&[])), None);
    assert_eq!(recognise(&[]), None);
    let whole = with(&[(0x8001, b"CD001"), (0x8028, b"live")]);
    assert_eq!(recognise(&whole[..0x8005]), None);
    assert_eq!(recognise(&whole[..0x802a]).unwrap().label, "li");
}
