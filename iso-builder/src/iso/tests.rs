//! Media written here, read back by other programs: xorriso for both name spaces and the boot
//! records, isoinfo for the bare primary tree, sgdisk for the partition table.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use uuid::Uuid;

use super::*;

fn guid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A tree with all kinds of content; the ESP is random enough to be found again.
fn sample(dir: &Path) -> Tree {
    let big = dir.join("big.source");
    std::fs::write(
        &big,
        (0..3_000_000u32)
            .flat_map(u32::to_le_bytes)
            .collect::<Vec<u8>>(),
    )
    .unwrap();
    let mut tree = Tree::new();
    let files = [
        ("boot/grub/eltorito.img", Content::Bytes(vec![0x5a; 10_000])),
        ("images/efiboot.img", Content::Bytes(vec![0xa5; 3 << 20])),
        ("images/ignition.img", Content::Zeros(256 * 1024)),
        (
            "images/pxeboot/rootfs.img",
            Content::File {
                path: big,
                size: 12_000_000,
            },
        ),
        ("coreos/igninfo.json", Content::Bytes(b"{}".to_vec())),
        (
            "EFI/a-rather-long-vendor-name/grub.cfg",
            Content::Bytes(b"stub".to_vec()),
        ),
        ("empty", Content::Bytes(Vec::new())),
    ];
    for (path, content) in files {
        tree.insert(path, content).unwrap();
    }
    // Enough names that their directory needs more than one sector.
    for n in 0..40 {
        tree.insert(
            &format!("many/file-number-{n:03}.text"),
            Content::Bytes(vec![n; 5]),
        )
        .unwrap();
    }
    tree
}

fn spec() -> ImageSpec {
    ImageSpec {
        volume_id: VolumeId::new("sample-os-1.0").unwrap(),
        time: Timestamp::from_unix(1_700_000_000),
        bios_image: Some("boot/grub/eltorito.img".into()),
        efi_image: Some("images/efiboot.img".into()),
        hybrid: Some(Hybrid {
            boot_code: vec![0x90; 512],
            disk_guid: guid(1),
            partition_guids: [guid(2), guid(3)],
        }),
    }
}

fn written(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("out.iso");
    let mut out = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    write_image(&sample(dir), &spec(), &mut out, &|_| ()).unwrap();
    path
}

/// Standard output and error of a program, or `None` with a SKIP line when it is not installed.
fn oracle(test: &str, program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).output() {
        Ok(out) => {
            let text = [out.stdout, out.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat();
            assert!(out.status.success(), "{program} {args:?}: {text}");
            Some(text)
        }
        Err(error) => {
            eprintln!("SKIP: {test}: {program}: {error}");
            None
        }
    }
}

#[test]
fn xorriso_extracts_the_same_files_by_rock_ridge_and_joliet_names() {
    let dir = tempfile::tempdir().unwrap();
    let iso = written(dir.path());
    for (names, read_fs) in [("rockridge", "any"), ("joliet", "norock")] {
        let to = dir.path().join(names);
        let (from, into) = (iso.to_str().unwrap(), to.to_str().unwrap());
        let args = [
            "-osirrox", "on", "-read_fs", read_fs, "-indev", from, "-extract", "/", into,
        ];
        if oracle("xorriso_extracts", "xorriso", &args).is_none() {
            return;
        }
        let read = |path: &str| std::fs::read(to.join(path)).unwrap();
        assert_eq!(
            read("images/pxeboot/rootfs.img"),
            std::fs::read(dir.path().join("big.source")).unwrap()
        );
        assert_eq!(read("images/ignition.img"), vec![0; 256 * 1024]);
        assert_eq!(read("images/efiboot.img"), vec![0xa5; 3 << 20]);
        assert_eq!(read("EFI/a-rather-long-vendor-name/grub.cfg"), b"stub");
        assert_eq!(read("empty"), b"");
        for n in 0..40u8 {
            assert_eq!(read(&format!("many/file-number-{n:03}.text")), vec![n; 5]);
        }
    }
}

#[test]
fn isoinfo_finds_the_short_names_of_the_primary_tree() {
    let dir = tempfile::tempdir().unwrap();
    let iso = written(dir.path());
    let Some(list) = oracle(
        "isoinfo_finds",
        "isoinfo",
        &["-f", "-i", iso.to_str().unwrap()],
    ) else {
        return;
    };
    for name in [
        "/COREOS/IGNINFO.JSO;1",
        "/IMAGES/PXEBOOT/ROOTFS.IMG;1",
        "/EFI/A_RATHER/GRUB.CFG;1",
        "/EMPTY.;1",
    ] {
        assert!(list.lines().any(|line| line == name), "{name} in {list}");
    }
    assert_eq!(
        list.lines()
            .filter(|line| line.starts_with("/MANY/"))
            .count(),
        40
    );
}

#[test]
fn xorriso_reports_both_boot_images_and_all_three_partition_schemes() {
    let dir = tempfile::tempdir().unwrap();
    let iso = written(dir.path());
    let args = [
        "-indev",
        iso.to_str().unwrap(),
        "-report_el_torito",
        "plain",
        "-report_system_area",
        "plain",
    ];
    let Some(report) = oracle("xorriso_reports", "xorriso", &args) else {
        return;
    };
    let line = |start: &str, end: &str| {
        report
            .lines()
            .any(|line| line.starts_with(start) && line.contains(end))
    };
    assert!(
        line("El Torito boot img :   1  BIOS  y   none", " 4 "),
        "{report}"
    );
    assert!(
        line("El Torito boot img :   2  UEFI  y   none", " 6144 "),
        "{report}"
    );
    assert!(
        line("El Torito img path :   1", "/boot/grub/eltorito.img"),
        "{report}"
    );
    assert!(
        line("El Torito img opts :   1", "boot-info-table"),
        "{report}"
    );
    assert!(
        line("El Torito img opts :   1", "grub2-boot-info"),
        "{report}"
    );
    assert!(
        line("El Torito img path :   2", "/images/efiboot.img"),
        "{report}"
    );
    assert!(line("System area summary: ", "grub2-mbr"), "{report}");
    assert!(line("System area summary: ", "GPT"), "{report}");
    assert!(
        line("MBR partition      :   2   0x80  0xef", " 6144"),
        "{report}"
    );
    assert!(
        line("GPT partition path :   2", "/images/efiboot.img"),
        "{report}"
    );
}

#[test]
fn sgdisk_finds_the_partition_table_without_fault() {
    let dir = tempfile::tempdir().unwrap();
    let iso = written(dir.path());
    let Some(report) = oracle(
        "sgdisk_finds",
        "sgdisk",
        &["-v", "-p", iso.to_str().unwrap()],
    ) else {
        return;
    };
    assert!(report.contains("No problems found"), "{report}");
    assert!(
        report
            .lines()
            .any(|line| line.contains("EF00") && line.contains("live-efi")),
        "{report}"
    );
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (written(a.path()), written(b.path()));
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap());
}

#[test]
fn source_that_changed_since_the_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tree = sample(dir.path());
    std::fs::write(dir.path().join("big.source"), b"short").unwrap();
    let mut out = tempfile::tempfile().unwrap();
    let error = write_image(&tree, &spec(), &mut out, &|_| ()).unwrap_err();
    assert!(
        matches!(
            error,
            IsoError::Changed {
                planned: 12_000_000,
                found: 5,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn boot_image_that_is_not_in_the_tree_is_refused_by_name() {
    let mut spec = spec();
    spec.bios_image = Some("no/such.img".into());
    let mut out = tempfile::tempfile().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = write_image(&sample(dir.path()), &spec, &mut out, &|_| ()).unwrap_err();
    assert!(matches!(error, IsoError::NoFile(path) if path == "no/such.img"));
}

#[test]
fn file_above_4_gib_has_its_whole_length_for_every_reader() {
    let dir = tempfile::tempdir().unwrap();
    let (size, end) = ((4u64 << 30) + 5000, b"the last file".to_vec());
    let mut tree = Tree::new();
    tree.insert("big.img", Content::Zeros(size)).unwrap();
    tree.insert("last", Content::Bytes(end.clone())).unwrap();
    let path = dir.path().join("big.iso");
    let mut out = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    let spec = ImageSpec {
        bios_image: None,
        efi_image: None,
        hybrid: None,
        ..spec()
    };
    write_image(&tree, &spec, &mut out, &|_| {}).unwrap();
    let mut read = embed::iso::IsoReader::open(&out).unwrap();
    assert_eq!(read.existing("big.img").unwrap().length, size);
    assert_eq!(read.read("last", 100).unwrap(), end);
    let listing = Command::new("xorriso")
        .args(["-indev", path.to_str().unwrap(), "-lsl", "/"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&listing.stdout);
    assert!(text.contains(&format!(" {size} ")), "{text}");
}
