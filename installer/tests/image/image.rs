//! A small disk image with the partitions of a CoreOS-style system and a real boot file system,
//! its compressed forms, and signatures by keys made on the fly.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use gpt::disk::LogicalBlockSize;
use gpt::partition_types;
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// Size of the images, bytes.
pub(crate) const SIZE: usize = 40 * MIB;

/// A raw image for sectors of `sector` bytes: boot code, BIOS boot partition, ESP, boot (ext4),
/// root. Data and zeroes alternate in the root partition; the data is not compressible. Made
/// once, so that every test has the same.
pub(crate) fn raw(sector: u64) -> Vec<u8> {
    static IMAGES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    IMAGES[usize::from(sector != 512)]
        .get_or_init(|| make(sector))
        .clone()
}

fn make(sector: u64) -> Vec<u8> {
    let mut bytes = vec![0u8; SIZE];
    bytes[..440].fill(0x90);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let size = LogicalBlockSize::try_from(sector).unwrap();
    let mbr =
        gpt::mbr::ProtectiveMBR::with_lb_size(u32::try_from(SIZE as u64 / sector - 1).unwrap());
    let mut disk = Cursor::new(bytes);
    mbr.update_conservative(&mut disk).unwrap();
    let mut table = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(size)
        .create_from_device(disk, None)
        .unwrap();
    let part = |name: &str, kind: partition_types::Type, from: usize, to: usize| {
        gpt::partition::Partition {
            part_type_guid: kind,
            part_guid: uuid::Uuid::new_v4(),
            first_lba: (from * MIB) as u64 / sector,
            last_lba: (to * MIB) as u64 / sector - 1,
            flags: 0,
            name: name.to_owned(),
        }
    };
    let parts = [
        part("BIOS-BOOT", partition_types::BIOS, 1, 2),
        part("EFI-SYSTEM", partition_types::EFI, 2, 6),
        part("boot", partition_types::LINUX_FS, 6, 22),
        part("root", partition_types::LINUX_FS, 22, 39),
    ];
    let parts: BTreeMap<u32, _> = (1..).zip(parts).collect();
    table.update_partitions(parts).unwrap();
    let mut bytes = table.write().unwrap().into_inner();
    bytes[6 * MIB..22 * MIB].copy_from_slice(&boot_file_system());
    let mut noise = 0x2545_f491_4f6c_dd1du64;
    for (at, byte) in bytes[22 * MIB..38 * MIB].iter_mut().enumerate() {
        if at % (3 * MIB) < 2 * MIB {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise.to_le_bytes()[0];
        }
    }
    bytes
}

fn boot_file_system() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("loader/entries")).unwrap();
    std::fs::write(tree.join("loader/entries/os.conf"), "options quiet\n").unwrap();
    let file = dir.path().join("boot.ext4");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-L", "boot", "-d"])
        .args([&tree, &file])
        .arg("16M")
        .output()
        .expect("mkfs.ext4 (package e2fsprogs) is there");
    assert!(made.status.success());
    std::fs::read(file).unwrap()
}

/// Content of a file on the boot partition of a disk or image.
pub(crate) fn read_boot_file(disk: &[u8], path: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&disk[6 * MIB..22 * MIB]).unwrap();
    let out = Command::new("debugfs")
        .arg("-R")
        .arg(format!("cat {path}"))
        .arg(file.path())
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

/// Compressed forms, by their file name's extension.
pub(crate) fn compress(raw: &[u8], extension: &str) -> Vec<u8> {
    match extension {
        "raw" => raw.to_vec(),
        "gz" => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(raw).unwrap();
            gz.finish().unwrap()
        }
        "xz" => {
            let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
            xz.write_all(raw).unwrap();
            xz.finish().unwrap()
        }
        "blocks.xz" => {
            let mut builder = liblzma::stream::MtStreamBuilder::new();
            let builder = builder.threads(1).block_size(1024 * 1024).preset(0);
            let stream = builder.encoder().unwrap();
            let mut xz = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            xz.write_all(raw).unwrap();
            xz.finish().unwrap()
        }
        "zst" => {
            let mut zst = zstd::Encoder::new(Vec::new(), 1).unwrap();
            zst.include_checksum(true).unwrap();
            zst.write_all(raw).unwrap();
            zst.finish().unwrap()
        }
        other => panic!("unknown extension {other}"),
    }
}

/// A GnuPG home with one signing key; its agent ends with it.
pub(crate) struct Signer {
    home: TempDir,
}

impl Signer {
    pub(crate) fn new() -> Self {
        Self::with_times(&[], "never")
    }

    /// A key that expired long ago.
    pub(crate) fn expired() -> Self {
        Self::with_times(&["--faked-system-time", "20200101T000000"], "1d")
    }

    fn with_times(clock: &[&str], expires: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let signer = Self { home };
        let key = [
            "--quick-gen-key",
            "Image Test <test@example.com>",
            "ed25519",
            "sign",
            expires,
        ];
        signer.gpg(&[clock, &["--passphrase", ""], &key].concat());
        signer
    }

    fn gpg(&self, args: &[&str]) -> Vec<u8> {
        let out = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback"])
            .args(args)
            .output()
            .expect("gpg is there");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        out.stdout
    }

    /// The public key as a file in `dir`.
    pub(crate) fn public_key(&self, dir: &Path) -> PathBuf {
        let path = dir.join("key.gpg");
        std::fs::write(&path, self.gpg(&["--export"])).unwrap();
        path
    }

    /// A detached signature over `bytes`.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign_at(bytes, &[])
    }

    /// A signature of the time when [`Signer::expired`]'s key was good.
    pub(crate) fn sign_in_2020(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign_at(bytes, &["--faked-system-time", "20200101T010000"])
    }

    /// A signature that is good for one second.
    pub(crate) fn sign_for_a_second(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign_at(bytes, &["--default-sig-expire", "seconds=1"])
    }

    fn sign_at(&self, bytes: &[u8], clock: &[&str]) -> Vec<u8> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let path = file.path().to_str().unwrap();
        self.gpg(&[clock, &["--output", "-", "--detach-sign", path]].concat())
    }

    /// Makes the key one that its owner withdrew.
    pub(crate) fn revoke(&self) {
        let dir = self.home.path().join("openpgp-revocs.d");
        let file = std::fs::read_dir(dir)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        // gpg puts a colon before the armor so that nobody imports it by mistake.
        let text = std::fs::read_to_string(&file)
            .unwrap()
            .replace(":-----BEGIN", "-----BEGIN");
        std::fs::write(&file, text).unwrap();
        self.gpg(&["--import", file.to_str().unwrap()]);
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .status();
    }
}

/// A directory with an image file, its signature and the key.
pub(crate) struct Published {
    dir: TempDir,
    pub(crate) image: PathBuf,
    pub(crate) key: PathBuf,
}

impl Published {
    /// `bytes` under `name`, with `signature`.
    pub(crate) fn new(name: &str, bytes: &[u8], signature: Option<&[u8]>, signer: &Signer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join(name);
        std::fs::write(&image, bytes).unwrap();
        if let Some(signature) = signature {
            std::fs::write(dir.path().join(format!("{name}.sig")), signature).unwrap();
        }
        let key = signer.public_key(dir.path());
        Self { dir, image, key }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}
