//! A small image of a whole system: boot partition with entry, initramfs, stamp and platform
//! table, and a root partition with an os-release.

use std::fs;
use std::path::Path;
use std::process::Command;

use embed::initrd::newc;

const MIB: usize = 1024 * 1024;

/// The default boot entry.
pub(crate) const ENTRY: &str = "title Some OS 40 (x:0)\nversion 40.1\nlinux /os/vmlinuz\n\
    initrd /os/initramfs.img\noptions root=LABEL=root rw ignition.platform.id=metal console=tty0\n";

const PLATFORMS: &str = r#"{"metal": {"grub_commands": [], "kernel_arguments": ["console=tty0"]},
    "qemu": {"grub_commands": ["serial"], "kernel_arguments": ["console=ttyS0"]}}"#;

/// An image for sectors of `sector` bytes.
pub(crate) fn image(sector: u64) -> Vec<u8> {
    let mut image = crate::image::raw(sector);
    image[6 * MIB..22 * MIB].copy_from_slice(&file_system("boot", 16, boot_tree));
    image[22 * MIB..38 * MIB].copy_from_slice(&file_system("root", 16, root_tree));
    image
}

fn boot_tree(tree: &Path) {
    for (path, content) in [
        ("loader/entries/os-1.conf", "title Older\noptions old\n"),
        ("loader/entries/os-2.conf", ENTRY),
        ("ignition.firstboot", "# stamp\n"),
        ("coreos/platforms.json", PLATFORMS),
        (
            "grub2/grub.cfg",
            "# CONSOLE-SETTINGS-START\n# CONSOLE-SETTINGS-END\n",
        ),
        ("os/vmlinuz", "kernel"),
    ] {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let mut cpio = newc::Writer::new(Vec::new());
    cpio.file("init", 0o755, 4, b"code".as_slice()).unwrap();
    let cpio = cpio.finish().unwrap();
    let packed = zstd::encode_all(cpio.as_slice(), 1).unwrap();
    fs::write(tree.join("os/initramfs.img"), packed).unwrap();
}

fn root_tree(tree: &Path) {
    let release = "NAME=\"Some OS\"\nID=some\nVERSION_ID=40\nPRETTY_NAME=\"Some OS 40\"\n";
    fs::create_dir_all(tree.join("usr/lib")).unwrap();
    fs::write(tree.join("usr/lib/os-release"), release).unwrap();
}

/// An ext4 file system with what `fill` puts into a directory.
pub(crate) fn file_system(label: &str, mib: usize, fill: impl Fn(&Path)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fill(&tree);
    let file = dir.path().join("fs");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-b", "4096", "-L", label, "-d"])
        .args([&tree, &file])
        .arg(format!("{mib}M"))
        .output()
        .expect("mkfs.ext4 (package e2fsprogs) is there");
    assert!(made.status.success(), "{made:?}");
    fs::read(file).unwrap()
}

/// Where the boot partition lies.
pub(crate) const BOOT: std::ops::Range<usize> = 6 * MIB..22 * MIB;
