//! Editing the boot partition before the disk can boot.

use std::error::Error;
use std::path::{Path, PathBuf};

use installer::disk::BootError;
use installer::install::{DiskState, InstallCause};
use installer::seal::SealError;

use crate::disk::{LoopDisk, assert_unbootable, loops_over};
use crate::image::{Published, SIZE, Signer, compress, raw, read_boot_file};
use crate::request::{or_skip, request, run};

const MIB: usize = 1024 * 1024;

type Edited = Result<(), Box<dyn Error + Send + Sync>>;

fn signed(raw: &[u8]) -> Published {
    let signer = Signer::new();
    let bytes = compress(raw, "zst");
    Published::new("os.raw.zst", &bytes, Some(&signer.sign(&bytes)), &signer)
}

fn assert_no_leftovers(disk: &LoopDisk, point: &Path) {
    assert_eq!(loops_over(&disk.node), Vec::<String>::new());
    assert!(!point.exists(), "{} is left", point.display());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(point.to_str().unwrap()));
}

#[test]
fn an_edit_of_the_boot_partition_is_on_the_disk_and_nothing_else_differs() {
    let disk = or_skip!("boot_edit", LoopDisk::new(64 * MIB, 512));
    let raw = raw(512);
    let mut point = PathBuf::new();
    let mut editor = |boot: &Path| -> Edited {
        point = boot.to_owned();
        assert_eq!(
            std::fs::read_to_string(boot.join("loader/entries/os.conf"))?,
            "options quiet\n"
        );
        std::fs::create_dir(boot.join("ignition"))?;
        std::fs::write(boot.join("ignition/config.ign"), "{}")?;
        Ok(())
    };
    let published = signed(&raw);
    let mut request = request(&published, &disk);
    request.boot = Some(&mut editor);
    run(request).unwrap();
    let bytes = disk.bytes();
    assert_eq!(read_boot_file(&bytes, "/ignition/config.ign"), "{}");
    assert!(bytes[..6 * MIB] == raw[..6 * MIB]);
    assert!(bytes[22 * MIB..SIZE] == raw[22 * MIB..]);
    assert_no_leftovers(&disk, &point);
}

#[test]
fn an_edit_that_fails_leaves_the_disk_unbootable_and_no_mount() {
    let disk = or_skip!("boot_edit_fails", LoopDisk::new(64 * MIB, 512));
    let mut point = PathBuf::new();
    let mut editor = |boot: &Path| -> Edited {
        point = boot.to_owned();
        Err("no".into())
    };
    let published = signed(&raw(512));
    let mut request = request(&published, &disk);
    request.boot = Some(&mut editor);
    let error = run(request).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Seal(SealError::Boot(BootError::Edit(_)))
        ),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
    assert_no_leftovers(&disk, &point);
}

#[test]
fn an_edit_that_panics_leaves_the_disk_unbootable_and_the_boot_files_alone() {
    let disk = or_skip!("boot_edit_panics", LoopDisk::new(64 * MIB, 512));
    let mut point = PathBuf::new();
    let mut editor = |boot: &Path| -> Edited {
        point = boot.to_owned();
        panic!("editor bug")
    };
    let published = signed(&raw(512));
    let mut request = request(&published, &disk);
    request.boot = Some(&mut editor);
    let error = run(request).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Seal(SealError::Boot(BootError::Died))
        ),
        "{error:?}"
    );
    let bytes = disk.bytes();
    assert_unbootable(&bytes, 512, &[]);
    assert_eq!(
        read_boot_file(&bytes, "/loader/entries/os.conf"),
        "options quiet\n"
    );
    assert_no_leftovers(&disk, &point);
}

#[test]
fn an_image_without_boot_file_system_leaves_the_disk_unbootable() {
    let disk = or_skip!("no_boot", LoopDisk::new(64 * MIB, 512));
    let mut raw = raw(512);
    // The label of the ext4 superblock.
    raw[6 * MIB + 1144..6 * MIB + 1148].copy_from_slice(b"data");
    let mut editor = |_: &Path| -> Edited { Ok(()) };
    let published = signed(&raw);
    let mut request = request(&published, &disk);
    request.boot = Some(&mut editor);
    let error = run(request).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Seal(SealError::Boot(BootError::None { label: "boot" }))
        ),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}
