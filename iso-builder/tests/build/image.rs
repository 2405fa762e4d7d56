//! A small image with everything that a build looks at, put together by the programs that real
//! images are made with, and a key to sign it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::initrd::newc;

const MIB: u64 = 1 << 20;
const OPTIONS: &str =
    "root=LABEL=root rw $ignition_firstboot ignition.platform.id=metal console=ttyS0";

/// Runs a program that the tests' setup installs.
pub(crate) fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What differs between images.
pub(crate) struct Recipe {
    pub(crate) kernel: Vec<u8>,
    pub(crate) live_program: &'static str,
    /// More kernel arguments of its boot loader entry.
    pub(crate) kargs: &'static str,
    /// More files of the initramfs.
    pub(crate) initramfs: &'static [&'static str],
    /// Files of the root file system, which is none when there are none.
    pub(crate) root: &'static [(&'static str, &'static str)],
    /// Links of the root file system.
    pub(crate) root_links: &'static [(&'static str, &'static str)],
    /// Directory of the kernel on the boot partition; in one of its own, as OSTree does, the boot
    /// loader's directory is a link.
    pub(crate) kernel_dir: &'static str,
}

impl Default for Recipe {
    fn default() -> Self {
        let mut kernel = vec![7u8; 300_000];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x236] = 1;
        let (version, at) = (b"6.1.0-test (somebody)\0", 0x4000u16);
        kernel[0x20e..0x210].copy_from_slice(&(at - 0x200).to_le_bytes());
        let place = usize::from(at);
        kernel[place..place + version.len()].copy_from_slice(version);
        Self {
            kernel,
            live_program: "usr/libexec/coreos-live",
            kargs: "",
            initramfs: &[],
            root: &[],
            root_links: &[],
            kernel_dir: "",
        }
    }
}

impl Recipe {
    /// Makes `dir/disk.raw`.
    pub(crate) fn make(&self, dir: &Path) -> PathBuf {
        let (esp, boot) = (esp(dir), self.boot(dir));
        let disk = dir.join("disk.raw");
        let out = File::create_new(&disk).unwrap();
        out.set_len(36 * MIB).unwrap();
        let table = [
            "-n",
            "1:1M:+8M",
            "-t",
            "1:ef00",
            "-n",
            "2:9M:+16M",
            "-n",
            "3:25M:+8M",
            "-c",
            "3:root",
        ];
        run("sgdisk", &[table.as_slice(), &[text(&disk)]].concat());
        out.write_all_at(&fs::read(esp).unwrap(), MIB).unwrap();
        out.write_all_at(&fs::read(boot).unwrap(), 9 * MIB).unwrap();
        let root = match self.root {
            [] => b"the root file system".to_vec(),
            files => fs::read(root(dir, files, self.root_links)).unwrap(),
        };
        out.write_all_at(&root, 25 * MIB).unwrap();
        disk
    }

    fn boot(&self, dir: &Path) -> PathBuf {
        let tree = dir.join("boot");
        let kernels = tree.join(self.kernel_dir);
        fs::create_dir_all(&kernels).unwrap();
        if self.kernel_dir.is_empty() {
            fs::create_dir(tree.join("loader")).unwrap();
        } else {
            fs::create_dir(tree.join("loader.1")).unwrap();
            symlink("loader.1", tree.join("loader")).unwrap();
        }
        fs::create_dir(tree.join("loader/entries")).unwrap();
        let (dir_of_kernel, kargs) = (self.kernel_dir, self.kargs);
        let entry = format!(
            "title Some OS 1.0\nversion 1\noptions {OPTIONS} {kargs}\n\
             linux /{dir_of_kernel}/vmlinuz-1\ninitrd /{dir_of_kernel}/initramfs-1.img\n"
        );
        fs::write(tree.join("loader/entries/os-1.conf"), entry).unwrap();
        fs::write(kernels.join("vmlinuz-1"), &self.kernel).unwrap();
        let mut cpio = newc::Writer::new(Vec::new());
        cpio.file(self.live_program, 0o755, 4, b"code".as_slice())
            .unwrap();
        for path in self.initramfs {
            cpio.file(path, 0o755, 4, b"code".as_slice()).unwrap();
        }
        let packed = dir.join("initramfs.cpio");
        fs::write(&packed, cpio.finish().unwrap()).unwrap();
        run(
            "zstd",
            &[
                "-q",
                text(&packed),
                "-o",
                text(&kernels.join("initramfs-1.img")),
            ],
        );
        let image = dir.join("boot.img");
        File::create_new(&image).unwrap().set_len(16 * MIB).unwrap();
        run(
            "mkfs.ext4",
            &["-q", "-L", "boot", "-d", text(&tree), text(&image)],
        );
        image
    }
}

fn root(dir: &Path, files: &[(&str, &str)], links: &[(&str, &str)]) -> PathBuf {
    let tree = dir.join("root");
    for (path, content) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    for (path, target) in links {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }
    let image = dir.join("root.img");
    File::create_new(&image).unwrap().set_len(8 * MIB).unwrap();
    run(
        "mkfs.ext4",
        &["-q", "-L", "root", "-d", text(&tree), text(&image)],
    );
    image
}

fn esp(dir: &Path) -> PathBuf {
    let image = dir.join("esp.img");
    File::create_new(&image).unwrap().set_len(8 * MIB).unwrap();
    run("mkfs.vfat", &[text(&image)]);
    run(
        "mmd",
        &["-i", text(&image), "::EFI", "::EFI/BOOT", "::EFI/debian"],
    );
    for (name, content) in [
        ("BOOT/BOOTX64.EFI", "shim"),
        ("BOOT/grubx64.efi", "grub"),
        ("debian/grub.cfg", ""),
    ] {
        let source = dir.join("loader.part");
        fs::write(&source, content).unwrap();
        run(
            "mcopy",
            &["-i", text(&image), text(&source), &format!("::EFI/{name}")],
        );
    }
    image
}

/// A signing key of its own; its agent ends with its home.
pub(crate) struct Signer {
    home: tempfile::TempDir,
    keys: PathBuf,
}

impl Signer {
    /// Makes a key.
    pub(crate) fn new(dir: &Path) -> Self {
        let this = Self {
            home: tempfile::tempdir().unwrap(),
            keys: dir.join("keys.gpg"),
        };
        this.gpg(&[
            "--quick-generate-key",
            "Somebody <some@body.example>",
            "ed25519",
            "sign",
            "never",
        ]);
        this
    }

    /// Signs `file` into `file.sig`; gives the file with the public key.
    pub(crate) fn sign(&self, file: &Path) -> PathBuf {
        self.gpg(&[
            "--detach-sign",
            "--output",
            &format!("{}.sig", text(file)),
            text(file),
        ]);
        let keys = self.gpg(&["--export"]);
        File::create(&self.keys).unwrap().write_all(&keys).unwrap();
        self.keys.clone()
    }

    /// Where the secret key is.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn gpg(&self, args: &[&str]) -> Vec<u8> {
        let fixed = [
            "--batch",
            "--quiet",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ];
        let output = Command::new("gpg")
            .env("GNUPGHOME", self.home.path())
            .args(fixed)
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "gpg {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // The key is of no use without its home, so a failure here costs only an idle agent.
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}
