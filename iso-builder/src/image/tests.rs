//! Images made of real file systems by other programs (mkfs.ext4, mtools, sgdisk), read here; and
//! the refusals, each by its variant.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const MIB: u64 = 1 << 20;
const ENTRY: &str =
    "title Some OS\nlinux /vmlinuz\ninitrd /initramfs.img\noptions root=LABEL=root rw\n";

/// Runs a program that the tests' setup installs.
fn run(program: &str, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .env("MTOOLS_SKIP_CHECK", "1")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn sized(path: &Path, mib: u64) -> String {
    File::create(path).unwrap().set_len(mib * MIB).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What differs between images of the tests.
struct Recipe {
    boot_label: &'static str,
    boot_fs: &'static str,
    entries: Vec<(&'static str, &'static str)>,
    root_name: &'static str,
    esp_files: Vec<&'static str>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            boot_label: "boot",
            boot_fs: "ext4",
            entries: vec![("1.conf", ENTRY)],
            root_name: "root",
            esp_files: vec!["BOOT/BOOTX64.EFI", "BOOT/grubx64.efi", "debian/grub.cfg"],
        }
    }
}

impl Recipe {
    fn boot_partition(&self, dir: &Path) -> PathBuf {
        let tree = dir.join("boot");
        fs::create_dir_all(tree.join("loader/entries")).unwrap();
        fs::write(tree.join("vmlinuz"), b"kernel").unwrap();
        fs::write(tree.join("initramfs.img"), vec![9u8; 100_001]).unwrap();
        for (name, text) in &self.entries {
            fs::write(tree.join("loader/entries").join(name), text).unwrap();
        }
        let path = dir.join("boot.img");
        let file = sized(&path, if self.boot_fs == "xfs" { 320 } else { 16 });
        match self.boot_fs {
            "xfs" => run("mkfs.xfs", &["-q", "-L", self.boot_label, &file]),
            _ => run(
                "mkfs.ext4",
                &[
                    "-q",
                    "-L",
                    self.boot_label,
                    "-d",
                    tree.to_str().unwrap(),
                    &file,
                ],
            ),
        }
        path
    }

    fn esp(&self, dir: &Path) -> PathBuf {
        let path = dir.join("esp.img");
        let file = sized(&path, 8);
        run("mkfs.vfat", &[&file]);
        run("mmd", &["-i", &file, "::EFI", "::EFI/BOOT", "::EFI/debian"]);
        for name in &self.esp_files {
            let source = dir.join("content");
            fs::write(&source, name).unwrap();
            run(
                "mcopy",
                &[
                    "-i",
                    &file,
                    source.to_str().unwrap(),
                    &format!("::EFI/{name}"),
                ],
            );
        }
        path
    }

    /// Puts the partitions together.
    fn image(&self, dir: &Path) -> PathBuf {
        let (esp, boot) = (self.esp(dir), self.boot_partition(dir));
        let boot_mib = fs::metadata(&boot).unwrap().len() / MIB;
        let path = dir.join("disk.raw");
        let file = sized(&path, boot_mib + 16);
        let boot_end = 9 + boot_mib;
        run(
            "sgdisk",
            &[
                "-n",
                "1:1M:+8M",
                "-t",
                "1:ef00",
                "-c",
                "1:EFI-SYSTEM",
                "-n",
                &format!("2:9M:+{boot_mib}M"),
                "-c",
                "2:boot",
                "-n",
                &format!("3:{boot_end}M:+1M"),
                "-c",
                &format!("3:{}", self.root_name),
                &file,
            ],
        );
        let out = File::options().write(true).open(&path).unwrap();
        for (part, at) in [(esp, 1), (boot, 9)] {
            use std::os::unix::fs::FileExt;
            out.write_all_at(&fs::read(part).unwrap(), at * MIB)
                .unwrap();
        }
        path
    }
}

fn open_at(path: &Path, sector_size: u32) -> Result<OsImage, ImageError> {
    let size = fs::metadata(path).unwrap().len();
    OsImage::read(
        File::open(path).unwrap(),
        size,
        Sha256Digest::of(b""),
        sector_size,
    )
}

fn open(recipe: &Recipe) -> Result<OsImage, ImageError> {
    let dir = tempfile::tempdir().unwrap();
    open_at(&recipe.image(dir.path()), 512)
}

#[test]
fn lexically_last_entry_leads_to_kernel_initramfs_and_loader() {
    let last = "title Newer\nlinux /vmlinuz\ninitrd /initramfs.img\n";
    let entries = vec![("b.conf", last), ("a.conf", ENTRY), ("c.conf.old", ENTRY)];
    let image = open(&Recipe {
        entries,
        ..Recipe::default()
    })
    .unwrap();
    let boot = image.boot().unwrap();
    let entry = boot.entry().unwrap();
    assert_eq!(entry.title, "Newer");
    assert_eq!(boot.kernel(&entry).unwrap(), b"kernel");
    let mut initramfs = Vec::new();
    boot.copy_initramfs(&entry, &mut initramfs).unwrap();
    assert_eq!(initramfs.len(), 100_004);
    assert!(initramfs.iter().take(100_001).all(|&b| b == 9));
    let loader = image.efi_loader().unwrap();
    assert_eq!(loader.first, b"BOOT/BOOTX64.EFI");
    assert_eq!(loader.grub, b"BOOT/grubx64.efi");
    assert_eq!(
        (loader.mok_manager, loader.vendors),
        (None, vec!["debian".to_owned()])
    );
}

#[test]
fn grub_is_found_in_the_vendor_directory_as_well() {
    let esp_files = vec!["BOOT/BOOTX64.EFI", "debian/grubx64.efi", "debian/mmx64.efi"];
    let loader = open(&Recipe {
        esp_files,
        ..Recipe::default()
    })
    .unwrap()
    .efi_loader()
    .unwrap();
    assert_eq!(loader.grub, b"debian/grubx64.efi");
    assert_eq!(loader.mok_manager.unwrap(), b"debian/mmx64.efi");
}

#[test]
fn missing_parts_are_refused_each_by_its_name() {
    let boot = |recipe: Recipe| open(&recipe).unwrap().boot();
    assert!(matches!(
        boot(Recipe {
            boot_label: "other",
            ..Recipe::default()
        }),
        Err(BootError::NoPartition)
    ));
    let none = boot(Recipe {
        entries: vec![("1.txt", ENTRY)],
        ..Recipe::default()
    })
    .unwrap();
    assert!(matches!(none.entry(), Err(BootError::NoEntry)));
    let lost = boot(Recipe {
        entries: vec![("1.conf", "linux /gone\ninitrd /gone")],
        ..Recipe::default()
    })
    .unwrap();
    let entry = lost.entry().unwrap();
    assert!(matches!(lost.kernel(&entry), Err(BootError::NoFile(path)) if path == "/gone"));
    let esp = open(&Recipe {
        esp_files: vec!["BOOT/BOOTX64.EFI"],
        ..Recipe::default()
    })
    .unwrap();
    assert!(
        matches!(esp.efi_loader(), Err(EspError::NoLoader(path)) if path == "EFI/*/grubx64.efi")
    );
    let rootless = open(&Recipe {
        root_name: "data",
        ..Recipe::default()
    });
    assert!(
        matches!(rootless, Err(ImageError::NoRoot { found }) if found == ["`EFI-SYSTEM`", "`boot`", "`data`"])
    );
}

#[test]
fn path_traversal_in_the_entry_is_refused() {
    let entries = vec![("1.conf", "linux /../../etc/passwd\ninitrd /x")];
    let boot = open(&Recipe {
        entries,
        ..Recipe::default()
    })
    .unwrap()
    .boot()
    .unwrap();
    let error = boot.entry().unwrap_err();
    assert!(
        matches!(
            error,
            BootError::Entry {
                source: BlsError::Path(_),
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn xfs_boot_partition_is_refused_by_its_name() {
    if Command::new("mkfs.xfs").arg("-V").output().is_err() {
        eprintln!("SKIP: xfs_boot_partition_is_refused_by_its_name: mkfs.xfs is not installed");
        return;
    }
    let image = open(&Recipe {
        boot_fs: "xfs",
        ..Recipe::default()
    })
    .unwrap();
    assert!(matches!(
        image.boot(),
        Err(BootError::FileSystem(FileSystem::Xfs))
    ));
}

#[test]
fn file_system_larger_than_its_partition_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = Recipe::default().image(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    let blocks = usize::try_from(9 * MIB).unwrap() + 1024 + 4;
    bytes[blocks..blocks + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(matches!(
        open_at(&path, 512).unwrap().boot(),
        Err(BootError::Truncated { .. })
    ));
}

#[test]
fn lying_gpt_headers_are_refused_before_anything_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    let path = Recipe::default().image(dir.path());
    let good = fs::read(&path).unwrap();
    let backup = good.len() - 512;
    for (header, field, value) in [
        (512, 80, u32::MAX),
        (512, 84, 7),
        (backup, 80, u32::MAX),
        (backup, 84, 0),
    ] {
        let mut bytes = good.clone();
        bytes[header + field..header + field + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let error = open_at(&path, 512).unwrap_err();
        assert!(
            matches!(error, ImageError::Table(TableError::Claims { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn wrong_sector_size_or_no_table_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = Recipe::default().image(dir.path());
    assert!(matches!(
        open_at(&path, 4096),
        Err(ImageError::Table(TableError::Gpt(_)))
    ));
    assert!(matches!(
        open_at(&path, 1024),
        Err(ImageError::Table(TableError::SectorSize(1024)))
    ));
    fs::write(&path, b"short").unwrap();
    assert!(matches!(
        open_at(&path, 512),
        Err(ImageError::Table(TableError::Gpt(_)))
    ));
}
