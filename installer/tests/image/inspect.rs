//! `inspect`: raw and compressed images, disks, and what cannot be read.

use std::path::Path;
use std::process::{Command, Output};

use installer::cancel::Cancel;
use installer::decode::DecodeError;
use installer::disk::TableKind;
use installer::inspect::{FirstBootState, InspectError, Inspection, inspect};
use installer::observe::Silent;
use installer::pipeline::ImageError;

use crate::disk::LoopDisk;
use crate::image::{SIZE, compress, raw};
use crate::request::or_skip;
use crate::system::{self, BOOT};

fn look(path: &Path) -> Result<Inspection, InspectError> {
    inspect(path, &Silent, &Cancel::new())
}

fn command(args: &[&str], path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .arg("inspect")
        .args(args)
        .arg(path)
        .output()
        .unwrap()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// UUID of the ext4 file system that begins at byte `start`.
fn uuid(image: &[u8], start: usize) -> String {
    let bytes = image[start + 1128..start + 1144].try_into().unwrap();
    uuid::Uuid::from_bytes(bytes).to_string()
}

#[test]
fn an_image_is_described() {
    let image = system::image(512);
    let (boot, root) = (uuid(&image, BOOT.start), uuid(&image, BOOT.end));
    let out = command(&[], file(&image).path());
    assert_eq!(
        String::from_utf8(out.stdout).unwrap(),
        format!(
            "size       40.00 MiB, raw\n\
         table      GPT, sectors of 512 bytes\n\
         \x20           1  BIOS-BOOT        1.00 MiB at    1.00 MiB  BIOS boot\n\
         \x20           2  EFI-SYSTEM       4.00 MiB at    2.00 MiB  EFI system\n\
         \x20           3  boot            16.00 MiB at    6.00 MiB  Linux                 ext4 `boot`, {boot}\n\
         \x20           4  root            17.00 MiB at   22.00 MiB  Linux                 ext4 `root`, {root}\n\
         os         Some OS 40\n\
         entry      Some OS 40 (x:0)\n\
         platform   metal\n\
         kargs      root=LABEL=root rw ignition.platform.id=metal console=tty0\n\
         config     none\n\
         network    none\n\
         first boot still to come\n"
        )
    );
    assert_eq!((out.status.code(), out.stderr.len()), (Some(0), 0));
}

#[test]
fn every_compression_and_sector_size_gives_the_same_but_for_its_name() {
    for sector in [512, 4096] {
        let image = system::image(sector);
        let plain = look(file(&image).path()).unwrap();
        assert_eq!(plain.sector_size, Some(u32::try_from(sector).unwrap()));
        assert_eq!((plain.size, plain.table), (SIZE as u64, TableKind::Gpt));
        assert_eq!(plain.unread, Vec::<String>::new());
        let formats = [("zst", "zstd"), ("gz", "gzip"), ("xz", "xz")];
        let some = if sector == 512 { 3 } else { 1 };
        for (extension, format) in formats.into_iter().take(some) {
            let mut found = look(file(&compress(&image, extension)).path()).unwrap();
            assert_eq!(found.format, format);
            found.format = "raw".to_owned();
            assert_eq!(found, plain);
        }
    }
}

#[test]
fn a_disk_is_read_as_an_image_is_and_json_has_it_all() {
    let disk = or_skip!("inspect_disk", LoopDisk::new(64 << 20, 512));
    disk.write(0, &system::image(512));
    let out = command(&["--json"], &disk.node);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["size"], 64 << 20);
    assert_eq!(json["os"]["version"], "40");
    assert_eq!(json["boot"]["first-boot"], "pending");
    assert_eq!(json["boot"]["entry"]["version"], "40.1");
    assert_eq!(json["boot"]["config"], serde_json::Value::Null);
    assert_eq!(
        json["partitions"][1],
        serde_json::json!({
            "number": 2, "label": "EFI-SYSTEM", "type-name": "EFI system",
            "type-guid": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "mbr-type": null,
            "start": 2 << 20, "size": 4 << 20, "holds": null
        })
    );
}

#[test]
fn partitions_of_an_mbr_are_listed_with_what_they_hold() {
    let mut image = vec![0u8; 8 << 20];
    let record = |kind: u8, start: u32, count: u32| {
        let mut bytes = [0u8; 16];
        bytes[4] = kind;
        bytes[8..12].copy_from_slice(&start.to_le_bytes());
        bytes[12..].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    image[446..462].copy_from_slice(&record(0x83, 2048, 4096));
    image[462..478].copy_from_slice(&record(0x3c, 8192, 2048));
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    // The superblock of an XFS file system: magic, UUID, name.
    image[1 << 20..(1 << 20) + 4].copy_from_slice(b"XFSB");
    image[(1 << 20) + 32..(1 << 20) + 48].fill(0x11);
    image[(1 << 20) + 108..(1 << 20) + 112].copy_from_slice(b"root");
    let out = command(&[], file(&image).path());
    assert_eq!(
        String::from_utf8(out.stdout).unwrap(),
        "size       8.00 MiB, raw\n\
         table      MBR\n\
         \x20           1                   2.00 MiB at    1.00 MiB  Linux                 \
         xfs `root`, 11111111-1111-1111-1111-111111111111\n\
         \x20           2                   1.00 MiB at    4.00 MiB  type 0x3c\n\
         not read   there is no file system labelled `boot`\n\
         not read   the root partition is xfs; only ext4 is read without mounting\n"
    );
    let json = command(&["--json"], file(&image).path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["partitions"][1]["mbr-type"], 0x3c);
    assert_eq!(
        json["partitions"][0]["holds"],
        serde_json::json!({
            "kind": "xfs", "label": "root", "uuid": "11111111-1111-1111-1111-111111111111"
        })
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_shown() {
    let image = raw(512);
    let found = look(file(&image).path()).unwrap();
    assert_eq!((found.os, found.partitions.len()), (None, 4));
    assert_eq!(
        found.boot.unwrap().first_boot,
        FirstBootState::Done,
        "there is no stamp"
    );
    assert_eq!(
        found.unread,
        ["the root partition is unknown; only ext4 is read without mounting"]
    );

    let mut image = system::image(512);
    // s_blocks_count_lo and s_label of the ext4 superblock.
    image[BOOT.start + 1028..BOOT.start + 1032].fill(0xff);
    let found = look(file(&image).path()).unwrap();
    assert_eq!(found.boot, None);
    assert!(
        found.unread[0].starts_with("the boot partition: the file system claims "),
        "{:?}",
        found.unread
    );
    assert_eq!(found.os.unwrap().name.as_deref(), Some("Some OS 40"));
    image[BOOT.start + 1144..BOOT.start + 1148].copy_from_slice(b"data");
    let found = look(file(&image).path()).unwrap();
    assert_eq!(found.unread, ["there is no file system labelled `boot`"]);
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let error = look(Path::new("/nonexistent")).unwrap_err();
    assert!(matches!(error, InspectError::Read { .. }), "{error:?}");
    let error = look(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, InspectError::Read { .. }), "{error:?}");
    let xz = compress(&raw(512), "xz");
    for (bytes, want) in [
        (&b""[..], DecodeError::Empty.to_string()),
        (
            b"QFI\xfbrest",
            "it is a qcow2 image, not a raw disk image or one compressed with gzip, xz or zstd"
                .to_owned(),
        ),
        (
            &xz[..xz.len() - 1],
            format!(
                "the xz data ends in the middle, after {} bytes",
                xz.len() - 1
            ),
        ),
    ] {
        match look(file(bytes).path()).unwrap_err() {
            InspectError::Unpack {
                source: ImageError::Decode { source, .. },
                ..
            } => assert_eq!(source.to_string(), want),
            other => panic!("{other:?}"),
        }
    }
}
