//! Magic numbers, labels and UUIDs where the formats put them.

use std::path::Path;
use std::process::Command;

use super::*;

type Parts<'p> = &'p [(usize, &'p [u8])];

fn with(parts: Parts<'_>) -> Vec<u8> {
    let mut bytes = vec![0u8; LEN];
    for (at, part) in parts {
        bytes[*at..at + part.len()].copy_from_slice(part);
    }
    bytes
}

/// Sixteen different bytes.
const UUID: &[u8] = b"0123456789abcdef";
const UUID_TEXT: &str = "30313233-3435-3637-3839-616263646566";

/// What lies where, and type, label and UUID.
const CASES: [(Parts<'static>, &str, &str, Option<&str>); 12] = [
    (&[(0x438, b"\x53\xef")], "ext2", "", None),
    (
        &[(0x438, b"\x53\xef"), (0x45c, b"\x04"), (0x478, b"boot")],
        "ext3",
        "boot",
        None,
    ),
    (
        &[(0x438, b"\x53\xef"), (0x460, b"\x40"), (0x468, UUID)],
        "ext4",
        "",
        Some(UUID_TEXT),
    ),
    (
        &[(0, b"XFSB"), (108, b"abcdefghijkl"), (32, UUID)],
        "xfs",
        "abcdefghijkl",
        Some(UUID_TEXT),
    ),
    (
        &[
            (0x52, b"FAT32   "),
            (0x47, b"EFI-SYSTEM "),
            (0x43, b"\xcd\xab\x34\x12"),
        ],
        "vfat",
        "EFI-SYSTEM",
        Some("1234-ABCD"),
    ),
    (
        &[
            (0x36, b"FAT16   "),
            (0x2b, b"NO NAME    "),
            (0x27, b"\x01\0\0\0"),
        ],
        "vfat",
        "",
        Some("0000-0001"),
    ),
    (
        &[(0, b"LUKS\xba\xbe"), (0xa8, b"an-id\x1b[0m")],
        "crypto_LUKS",
        "",
        Some("an-id[0m"),
    ),
    (
        &[(0x8001, b"CD001"), (0x8028, b"live\x1b[0m      ")],
        "iso9660",
        "live[0m",
        None,
    ),
    (
        &[
            (0x1_0040, b"_BHRfS_M"),
            (0x1_012b, b"data"),
            (0x1_0020, UUID),
        ],
        "btrfs",
        "data",
        Some(UUID_TEXT),
    ),
    (
        &[
            (0x1000, b"\xfc\x4e\x2b\xa9"),
            (0x1020, b"host:0"),
            (0x1010, UUID),
        ],
        "linux_raid_member",
        "host:0",
        Some(UUID_TEXT),
    ),
    (
        &[
            (3, b"NTFS    "),
            (0x48, b"\x08\x07\x06\x05\x04\x03\x02\x01"),
        ],
        "ntfs",
        "",
        Some("0102030405060708"),
    ),
    (&[(0, b"hsqs")], "squashfs", "", None),
];

#[test]
fn file_systems_are_known_by_magic_label_and_uuid() {
    for (parts, kind, label, uuid) in CASES {
        let held = recognise(&with(parts)).unwrap();
        let found = (held.kind, held.label.as_str(), held.uuid.as_deref());
        assert_eq!(found, (kind, label, uuid));
    }
}

#[test]
fn what_is_unknown_or_cut_short_is_nothing() {
    assert_eq!(recognise(&with(&[])), None);
    assert_eq!(recognise(&[]), None);
    let whole = with(&[(0x8001, b"CD001"), (0x8028, b"live")]);
    assert_eq!(recognise(&whole[..0x8005]), None);
    assert_eq!(recognise(&whole[..0x802a]).unwrap().label, "li");
    let whole = with(&[(0, b"XFSB"), (32, UUID)]);
    assert_eq!(recognise(&whole[..47]).unwrap().uuid, None);
}

/// What blkid(8) says of the file system that a program makes, if it is installed.
#[test]
fn what_mkfs_makes_is_told_as_blkid_tells_it() {
    for (program, args, size) in [
        ("mkfs.ext4", &["-q", "-F", "-L", "a label"][..], 8 << 20),
        ("mkfs.vfat", &["-n", "EFI-SYSTEM"], 8 << 20),
        ("mkfs.vfat", &["-F", "32", "-n", "BIG"], 64 << 20),
        ("mkfs.xfs", &["-q", "-L", "root"], 320 << 20),
        ("mkfs.btrfs", &["-q", "-L", "some root"], 128 << 20),
        ("mkswap", &["-L", "swap"], 1 << 20),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        match Command::new(program).args(args).arg(file.path()).output() {
            Ok(made) => assert!(made.status.success(), "{program}: {made:?}"),
            Err(error) => {
                eprintln!("SKIP: superblock_{program}: {error}");
                continue;
            }
        }
        let all = std::fs::read(file.path()).unwrap();
        let held = recognise(&all[..LEN]).unwrap();
        let told = ["TYPE", "LABEL", "UUID"].map(|tag| blkid(file.path(), tag));
        let ours = [
            held.kind.to_owned(),
            held.label,
            held.uuid.unwrap_or_default(),
        ];
        assert_eq!(ours, told, "{program}");
    }
}

fn blkid(path: &Path, tag: &str) -> String {
    let out = Command::new("blkid")
        .args(["--probe", "--output", "value", "--match-tag", tag])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
