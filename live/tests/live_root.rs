//! The mounts of a live root on a real kernel: squashfs inside the archive, root partition inside
//! the disk image inside it, overlay on top. Needs root, loop devices and the kernel's squashfs;
//! everything happens in a mount namespace of the test's own.

#![expect(
    clippy::unwrap_used,
    reason = "test set-up; whatever fails is a finding"
)]

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::contract::initrd;
use embed::gpt::{SectorSize, Table};
use embed::initrd::newc;
use live::mount;
use live::superblock::{self, Kind};

const MIB: u64 = 1024 * 1024;
const TEST: &str = "live_root";

fn run(program: &str, arguments: &[&Path]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// An archive as the media builder makes it, around a disk whose root partition holds one file.
fn archive(dir: &Path) -> Result<PathBuf, String> {
    let path = |name: &str| dir.join(name);
    fs::create_dir_all(path("tree")).unwrap();
    fs::write(path("tree/os-release"), "ID=test\n").unwrap();
    File::create(path("root.ext4"))
        .unwrap()
        .set_len(8 * MIB)
        .unwrap();
    run(
        "mkfs.ext4",
        &[
            Path::new("-q"),
            Path::new("-d"),
            &path("tree"),
            &path("root.ext4"),
        ],
    )?;

    fs::create_dir_all(path("squash")).unwrap();
    let disk = path("squash/disk.raw");
    File::create(&disk).unwrap().set_len(12 * MIB).unwrap();
    let table = ["-n", "3:2048:+1M", "-n", "4:0:+8M", "-c", "4:root"].map(Path::new);
    run("sgdisk", &[&table[..], &[&disk]].concat())?;
    let mut file = File::options().write(true).open(&disk).unwrap();
    file.seek(SeekFrom::Start(2 * MIB)).unwrap();
    file.write_all(&fs::read(path("root.ext4")).unwrap())
        .unwrap();
    run(
        "mksquashfs",
        &[
            &path("squash"),
            &path("root.squashfs"),
            Path::new("-quiet"),
            Path::new("-no-progress"),
        ],
    )?;

    let squashfs = File::open(path("root.squashfs")).unwrap();
    let mut writer = newc::Writer::new(File::create(path("rootfs.img")).unwrap());
    writer
        .file(
            initrd::SQUASHFS,
            0o644,
            squashfs.metadata().unwrap().len(),
            squashfs,
        )
        .unwrap();
    writer.finish().unwrap();
    Ok(path("rootfs.img"))
}

/// Mounts everything below `dir` and says why when this machine cannot.
fn mount_all(dir: &Path, archive: &Path) -> Result<(), mount::MountError> {
    mount::private_namespace()?;
    mount::memory(&dir.join("rw"), Some(4 * MIB))?;
    let image = dir.join("image");
    mount::part_of(archive, initrd::SQUASHFS_OFFSET, 0, &image, Kind::Squashfs)?;
    let disk = image.join(initrd::DISK_IMAGE);
    let mut file = File::open(&disk).unwrap();
    let read_at = |offset, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
    let table = Table::read(read_at, SectorSize::B512, 12 * MIB).unwrap();
    let root = table.partitions().find(|p| p.name == "root").unwrap();
    assert_eq!(
        superblock::read(&mut file, root.start)
            .unwrap()
            .unwrap()
            .kind,
        Kind::Ext
    );
    mount::part_of(&disk, root.start, root.length, &dir.join("root"), Kind::Ext)?;
    mount::overlay(
        &dir.join("root"),
        &dir.join("rw/upper"),
        &dir.join("rw/work"),
        &dir.join("sysroot"),
    )
}

#[test]
fn the_root_of_the_image_in_the_archive_becomes_writable_in_memory_only() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let archive = match archive(dir) {
        Ok(archive) => archive,
        Err(reason) => return eprintln!("SKIP: {TEST}: a tool is missing: {reason}"),
    };
    let before = fs::read(&archive).unwrap();
    if let Err(error) = mount_all(dir, &archive) {
        return eprintln!("SKIP: {TEST}: {error}: {}", error.source);
    }
    let mut text = String::new();
    File::open(dir.join("sysroot/os-release"))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "ID=test\n");
    fs::write(dir.join("sysroot/os-release"), "ID=changed\n").unwrap();
    assert_eq!(
        fs::read_to_string(dir.join("root/os-release")).unwrap(),
        "ID=test\n"
    );
    assert_eq!(
        fs::read_to_string(dir.join("rw/upper/os-release")).unwrap(),
        "ID=changed\n"
    );
    fs::write(dir.join("root/new"), "").unwrap_err();
    assert!(fs::read(&archive).unwrap() == before);
    nix::mount::umount2(&dir.join("sysroot"), nix::mount::MntFlags::MNT_DETACH).unwrap();
    for name in ["root", "image", "rw"] {
        nix::mount::umount2(&dir.join(name), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}
