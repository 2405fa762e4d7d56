//! Disks that device-mapper makes: partitions are found in their tables and mounted by offset,
//! without udev, kpartx, or a kernel that looks for partitions on them.

use std::path::PathBuf;
use std::process::Command;

use installer::disk::{TargetError, Use};
use installer::install::{DiskState, InstallCause};

use crate::disk::LoopDisk;
use crate::image::{Published, SIZE, Signer, raw};
use crate::request::{or_skip, request, run};

const DISK: usize = 64 * 1024 * 1024;

/// A linear device over all of a loop device; removed when dropped, before that.
struct Linear {
    name: String,
    node: PathBuf,
    below: LoopDisk,
}

impl Linear {
    fn new(test: &str, uuid: &str) -> Result<Self, String> {
        let below = LoopDisk::new(DISK, 512)?;
        let name = format!("test-{test}-{}", std::process::id());
        let table = format!("0 {} linear {} 0", DISK / 512, below.node.display());
        let uuid = format!("{uuid}{name}");
        let args = ["create", &name, "--noudevsync", "--uuid", &uuid];
        let out = Command::new("dmsetup")
            .args(args)
            .args(["--table", &table])
            .output()
            .map_err(|e| format!("dmsetup: {e}"))?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            return Err(format!(
                "dmsetup: {}",
                said.lines().next().unwrap_or_default()
            ));
        }
        // The kernel's own node: /dev/mapper is udev's.
        let out = Command::new("dmsetup")
            .args(["info", "-c", "--noheadings", "-o", "blkdevname", &name])
            .output()
            .unwrap();
        let node = String::from_utf8(out.stdout).unwrap();
        let node = PathBuf::from("/dev").join(node.trim());
        Ok(Self { name, node, below })
    }
}

impl Drop for Linear {
    fn drop(&mut self) {
        let _ = Command::new("dmsetup")
            .args(["remove", "--noudevsync", &self.name])
            .status();
    }
}

fn signed(image: &[u8]) -> Published {
    let signer = Signer::new();
    Published::new("os.raw", image, Some(&signer.sign(image)), &signer)
}

#[test]
fn a_device_of_device_mapper_is_installed_to_and_its_boot_partition_edited() {
    let disk = or_skip!("mapped", Linear::new("edit", "TEST-"));
    let image = raw(512);
    let published = signed(&image);
    let mut request = request(&published, &disk.below);
    request.device = disk.node.clone();
    let mut edit =
        |boot: &std::path::Path| std::fs::write(boot.join("edited"), "yes").map_err(Into::into);
    request.boot = Some(&mut edit);
    run(request).unwrap();
    let installed = std::fs::read(&disk.node).unwrap();
    const BOOT: std::ops::Range<usize> = crate::system::BOOT;
    assert!(installed[..BOOT.start] == image[..BOOT.start]);
    assert!(installed[BOOT] != image[BOOT], "nothing was edited");
    assert!(installed[BOOT.end..SIZE] == image[BOOT.end..]);
}

#[test]
fn a_path_of_a_multipath_device_is_refused_and_the_device_is_listed_in_its_place() {
    let disk = or_skip!("mapped_path", Linear::new("path", "mpath-3"));
    let published = signed(&raw(512));
    let error = run(request(&published, &disk.below)).unwrap_err();
    assert_eq!(error.state, DiskState::Untouched);
    match error.source {
        InstallCause::Target(TargetError::Busy { uses, .. }) => assert_eq!(
            uses,
            [Use::Path {
                device: disk.below.node.clone(),
                of: disk.node.clone(),
                name: disk.name.clone(),
            }]
        ),
        other => panic!("{other:?}"),
    }
    let disks = installer::disk::disks().unwrap();
    let find = |path| disks.iter().find(|info| &info.path == path).unwrap();
    assert_eq!(find(&disk.below.node).path_of.as_ref(), Some(&disk.node));
    let made_of = find(&disk.node).made_of.clone().unwrap();
    assert_eq!(made_of.parts, std::slice::from_ref(&disk.below.node));
    assert_eq!(made_of.wwid, Some(format!("3{}", disk.name)));
}
