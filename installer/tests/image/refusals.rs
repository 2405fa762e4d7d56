//! Targets that are refused, and work that is interrupted.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::time::Duration;

use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::disk::{BlockDevice, SectorSize, TargetError, Use};
use installer::install::{DiskState, InstallCause, InstallError, OnError, install};
use installer::observe::Observer;
use installer::seal::SealError;
use nix::libc::O_EXCL;

use crate::disk::{LoopDisk, OLD, assert_unbootable, partitions};
use crate::image::{Published, SIZE, Signer, raw};
use crate::request::{or_skip, request, run};

const MIB: usize = 1024 * 1024;

fn signed(sector: u64) -> Published {
    let signer = Signer::new();
    let bytes = raw(sector);
    Published::new("os.raw", &bytes, Some(&signer.sign(&bytes)), &signer)
}

fn uses(error: InstallError) -> Vec<Use> {
    assert_eq!(error.state, DiskState::Untouched);
    match error.source {
        InstallCause::Target(TargetError::Busy { uses, .. }) => uses,
        other => panic!("not busy: {other:?}"),
    }
}

#[test]
fn a_disk_that_a_probe_holds_for_a_moment_is_waited_for() {
    let disk = or_skip!("probed", LoopDisk::new(64 * MIB, 512));
    let probe = || {
        let mut options = File::options();
        options.read(true).custom_flags(O_EXCL).open(&disk.node)
    };
    let held = probe().unwrap();
    let probing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(held);
    });
    let opened = BlockDevice::open(&disk.node);
    probing.join().unwrap();
    let _target = opened.unwrap();
    let held = probe().unwrap_err();
    assert_eq!(held.kind(), std::io::ErrorKind::ResourceBusy);
}

#[test]
fn a_mounted_disk_is_named_with_its_mount_point() {
    let disk = or_skip!("mounted", LoopDisk::new(64 * MIB, 512));
    let status = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&disk.node)
        .status()
        .unwrap();
    assert!(status.success());
    let point = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .arg(&disk.node)
        .arg(point.path())
        .output()
        .unwrap();
    if !mounted.status.success() {
        eprintln!(
            "SKIP: mounted: {}",
            String::from_utf8_lossy(&mounted.stderr).trim()
        );
        return;
    }
    let result = run(request(&signed(512), &disk));
    let unmounted = Command::new("umount").arg(point.path()).status().unwrap();
    assert!(unmounted.success());
    let expected = Use::Mounted {
        device: disk.node.clone(),
        at: point.path().to_owned(),
    };
    assert_eq!(uses(*result.unwrap_err()), [expected]);
    assert_eq!(partitions(&disk.bytes(), 512), None);
}

#[test]
fn a_disk_behind_a_loop_device_is_named_with_it() {
    let disk = or_skip!("loop_user", LoopDisk::new(64 * MIB, 512));
    let out = Command::new("losetup")
        .args(["--find", "--show"])
        .arg(&disk.node)
        .output()
        .unwrap();
    assert!(out.status.success());
    let by: std::path::PathBuf = String::from_utf8(out.stdout).unwrap().trim().into();
    let result = run(request(&signed(512), &disk));
    assert!(
        Command::new("losetup")
            .arg("--detach")
            .arg(&by)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        uses(*result.unwrap_err()),
        [Use::Loop {
            device: disk.node.clone(),
            by
        }]
    );
}

#[test]
fn a_file_is_not_a_block_device() {
    let disk = or_skip!("file_target", LoopDisk::new(2 * MIB, 512));
    let published = signed(512);
    let mut request = request(&published, &disk);
    let file = tempfile::NamedTempFile::new().unwrap();
    request.device = file.path().to_owned();
    let error = run(request).unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Target(TargetError::NotABlockDevice { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_disk_smaller_than_the_image_is_not_touched() {
    let disk = or_skip!("too_small", LoopDisk::new(SIZE - MIB, 512));
    let error = run(request(&signed(512), &disk)).unwrap_err();
    match error.source {
        InstallCause::Seal(SealError::TooSmall { need, have }) => {
            assert_eq!((need, have), (SIZE as u64, (SIZE - MIB) as u64));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|b| *b == OLD));
}

#[test]
fn a_disk_with_other_sectors_than_the_image_is_not_touched() {
    let disk = or_skip!("sector_size", LoopDisk::new(64 * MIB, 4096));
    let error = run(request(&signed(512), &disk)).unwrap_err();
    match error.source {
        InstallCause::Seal(SealError::SectorSize { image, disk }) => {
            assert_eq!((image, disk), (SectorSize::B512, SectorSize::B4096));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes().iter().all(|b| *b == OLD));
}

/// Asks to stop as soon as bytes are copied.
struct Impatient<'a>(&'a Cancel, Cell<bool>);

impl Observer for Impatient<'_> {
    fn event(&self, progress: Progress) {
        if matches!(progress, Progress::Copying { .. }) {
            self.0.cancel();
            self.1.set(true);
        }
    }
}

#[test]
fn an_interrupted_install_leaves_the_disk_unbootable() {
    let disk = or_skip!("interrupted", LoopDisk::new(64 * MIB, 512));
    let cancel = Cancel::new();
    let observer = Impatient(&cancel, Cell::new(false));
    let error = install(request(&signed(512), &disk), &observer, &cancel).unwrap_err();
    assert!(observer.1.get());
    assert!(
        matches!(error.source, InstallCause::Cancelled(_)),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert_unbootable(&disk.bytes(), 512, &[]);
}

#[test]
fn a_failure_can_leave_what_was_written_but_never_the_head() {
    let disk = or_skip!("preserve", LoopDisk::new(64 * MIB, 512));
    let signer = Signer::new();
    let bytes = raw(512);
    let published = Published::new("os.raw", &bytes, Some(&signer.sign(b"other")), &signer);
    let mut request = request(&published, &disk);
    request.on_error = OnError::Preserve;
    let error = run(request).unwrap_err();
    assert_eq!(error.state, DiskState::Preserved);
    let left = disk.bytes();
    assert!(left[MIB..SIZE] == bytes[MIB..SIZE]);
    assert!(left[..440].iter().all(|b| *b == 0));
    assert_eq!(partitions(&left, 512), Some(vec![]));
}
