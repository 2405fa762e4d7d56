//! Whole builds by the command itself, from small images that other programs made, signed by a key
//! of this run: what comes out, that it comes out the same twice, and what is refused.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: whatever fails is a finding"
)]

mod asked;
mod foreign;
mod image;
mod ostree;
mod packed;
mod parts;
mod repeat;
mod upstream;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use embed::contract::{initrd, iso as names};
use embed::digest::Sha256Digest;
use embed::initrd::{Archive, Limits};
use embed::iso::{IsoReader, LiveIso, MinimalIso};
use embed::manifest::Manifest;
use embed::medium::LiveImage;
use embed::stream_hash::StreamHash;
use image::{Recipe, Signer, run};

/// One build's directory, image, keys and output.
struct Case {
    dir: tempfile::TempDir,
    image: PathBuf,
    keys: PathBuf,
    signer: Signer,
}

impl Case {
    fn new(recipe: &Recipe) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = recipe.make(dir.path());
        let signer = Signer::new(dir.path());
        let keys = signer.sign(&image);
        Self {
            dir,
            image,
            keys,
            signer,
        }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn builder(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iso-builder"));
        command
            .env_remove("SOURCE_DATE_EPOCH")
            .env("GNUPGHOME", self.signer.home())
            .arg("build")
            .arg("--image")
            .arg(&self.image);
        command
            .args(["--name", "os", "--version", "1.0", "--keyring"])
            .arg(&self.keys)
            .arg("-o")
            .arg(self.out());
        command
    }

    fn build(&self, more: &[&str]) -> Output {
        self.builder().args(more).output().unwrap()
    }

    fn built(&self, more: &[&str]) -> Manifest {
        let output = self.build(more);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Manifest::parse(&fs::read(self.out().join("manifest.json")).unwrap()).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.out().join(name)).unwrap()
    }

    /// The error that a build ends with; nothing may be left behind.
    fn refused(&self, more: &[&str]) -> String {
        let output = self.build(more);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(list(&self.out()), Vec::<String>::new());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn list(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn manifest_describes_every_file_beside_it() {
    let case = Case::new(&Recipe::default());
    let manifest = case.built(&[]);
    let files = [
        "disk.raw",
        "disk.raw.sig",
        "manifest.json",
        "os-live-initramfs.img",
        "os-live-kernel",
        "os-live-rootfs.img",
        "os-live.iso",
    ];
    assert_eq!(list(&case.out()), files);
    let image = manifest.image.unwrap();
    assert_eq!(image.signature.as_deref(), Some("disk.raw.sig"));
    for artifact in [
        manifest.kernel,
        manifest.initramfs,
        manifest.rootfs,
        manifest.iso.unwrap(),
        image.artifact,
    ] {
        let bytes = case.read(&artifact.file);
        assert_eq!(
            (artifact.size, artifact.sha256),
            (bytes.len() as u64, Sha256Digest::of(&bytes))
        );
    }
    let raw = fs::read(&case.image).unwrap();
    assert_eq!(
        (manifest.source.size, manifest.source.sha256),
        (raw.len() as u64, Sha256Digest::of(&raw))
    );
    assert_eq!(
        manifest.kargs,
        [
            "console=ttyS0",
            "ignition.firstboot",
            "ignition.platform.id=metal"
        ]
    );
}

#[test]
fn initramfs_knows_its_rootfs_and_the_rootfs_holds_the_image() {
    let case = Case::new(&Recipe::default());
    let manifest = case.built(&[]);
    let initramfs =
        Archive::read(case.read("os-live-initramfs.img").as_slice(), Limits::IMAGE).unwrap();
    let text = |path| std::str::from_utf8(initramfs.get(path).unwrap()).unwrap();
    assert_eq!(text(initrd::LIVE_STAMP), "1.0\n");
    let described: LiveImage = serde_json::from_str(text(initrd::LIVE_IMAGE)).unwrap();
    assert_eq!(described, manifest.source);
    assert!(initramfs.get(initrd::LIVE_PROGRAM).is_some());
    let rootfs = case.read("os-live-rootfs.img");
    let wanted = StreamHash::parse(text(initrd::WANT_ROOTFS)).unwrap();
    let mut verified = Vec::new();
    std::io::copy(&mut wanted.verify(rootfs.as_slice()), &mut verified).unwrap();
    assert!(verified == rootfs);
    let archive = Archive::read(rootfs.as_slice(), Limits::IMAGE).unwrap();
    assert_eq!(archive.get(initrd::ROOTFS_STAMP).unwrap(), b"1.0\n");
    let squashfs = case.dir.path().join("root.squashfs");
    let offset = usize::try_from(initrd::SQUASHFS_OFFSET).unwrap();
    fs::write(&squashfs, &rootfs[offset..]).unwrap();
    let to = case.dir.path().join("unpacked");
    run(
        "unsquashfs",
        &[
            "-q",
            "-n",
            "-d",
            to.to_str().unwrap(),
            squashfs.to_str().unwrap(),
        ],
    );
    assert_eq!(list(&to), [initrd::DISK_IMAGE]);
    assert!(fs::read(to.join(initrd::DISK_IMAGE)).unwrap() == fs::read(&case.image).unwrap());
}

#[test]
fn iso_is_a_live_image_to_the_tools_that_edit_it() {
    let case = Case::new(&Recipe::default());
    case.built(&[
        "--live-karg",
        "quiet",
        "--embed-area",
        "512KiB",
        "--volume-id",
        "my-live",
    ]);
    let mut iso = LiveIso::open(File::open(case.out().join("os-live.iso")).unwrap()).unwrap();
    assert_eq!(iso.embed_area().length, 512 * 1024);
    assert!(iso.embedded().unwrap().is_empty());
    assert!(iso.features().installer_config && iso.features().live_initrd_network);
    let want =
        "coreos.liveiso=my-live console=ttyS0 ignition.firstboot ignition.platform.id=metal quiet";
    assert_eq!(iso.kargs().unwrap().to_string(), want);
    assert_eq!(iso.default_kargs().unwrap().to_string(), want);
}

#[test]
fn minimal_iso_is_the_full_one_without_rootfs() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image", "--volume-id", "my-live"]);
    let full = File::open(case.out().join("os-live.iso")).unwrap();
    let description = MinimalIso::find(&mut IsoReader::open(&full).unwrap());
    let minimal = tempfile::tempfile().unwrap();
    let description = description.unwrap().unwrap();
    description.unpack(&full, &minimal).unwrap();
    let mut live = LiveIso::open(&minimal).unwrap();
    let want = "coreos.liveiso=my-live console=ttyS0 ignition.firstboot ignition.platform.id=metal";
    assert_eq!(live.kargs().unwrap().to_string(), want);
    assert_eq!(live.default_kargs().unwrap().to_string(), want);
    for (path, beside) in [
        (names::KERNEL, "os-live-kernel"),
        (names::INITRAMFS, "os-live-initramfs.img"),
    ] {
        assert!(
            live.files().read(path, u64::MAX).unwrap() == case.read(beside),
            "{path}"
        );
    }
    for path in [names::ROOTFS, names::MINISO] {
        assert_eq!(live.files().find(path).unwrap(), None);
    }
    let starts = live.files().boot_entries().unwrap();
    assert_eq!(starts.len(), 2);
    assert!(starts.iter().all(|entry| entry.bootable));
}

#[test]
fn iso_holds_the_parts_that_lie_beside_it() {
    let case = Case::new(&Recipe::default());
    case.built(&[]);
    let to = case.dir.path().join("iso");
    let iso = case.out().join("os-live.iso");
    run(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            iso.to_str().unwrap(),
            "-extract",
            "/",
            to.to_str().unwrap(),
        ],
    );
    let parts = [
        (names::KERNEL, "os-live-kernel"),
        (names::INITRAMFS, "os-live-initramfs.img"),
        (names::ROOTFS, "os-live-rootfs.img"),
    ];
    for (on_iso, beside) in parts {
        assert!(
            fs::read(to.join(on_iso)).unwrap() == case.read(beside),
            "{on_iso}"
        );
    }
    assert_eq!(
        fs::read(to.join("EFI/debian/grub.cfg")).unwrap(),
        fs::read(to.join("EFI/BOOT/grub.cfg")).unwrap()
    );
    let esp = to.join("images/efiboot.img");
    let loader = case.dir.path().join("loader");
    run(
        "mcopy",
        &[
            "-i",
            esp.to_str().unwrap(),
            "::EFI/BOOT/BOOTX64.EFI",
            loader.to_str().unwrap(),
        ],
    );
    assert_eq!(fs::read(loader).unwrap(), b"shim");
    run("fsck.vfat", &["-n", esp.to_str().unwrap()]);
}

#[test]
fn source_date_epoch_is_the_only_time_on_the_media() {
    let case = Case::new(&Recipe::default());
    let built = |epoch: &str| {
        let output = case
            .builder()
            .arg("--no-image")
            .env("SOURCE_DATE_EPOCH", epoch)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (case.read("os-live.iso"), case.read("os-live-rootfs.img"))
    };
    let (early, late) = (built("1000000000"), built("1700000000"));
    assert!(early.0 != late.0 && early.1 != late.1);
    assert!(late == built("1700000000"));
    let volume_created = 16 * 2048 + 813;
    assert_eq!(
        &late.0[volume_created..volume_created + 16],
        b"2023111422132000"
    );
}

#[test]
fn signature_of_another_file_is_refused_before_anything_is_made() {
    let case = Case::new(&Recipe::default());
    let other = case.dir.path().join("other");
    fs::write(&other, b"something else").unwrap();
    Signer::new(case.dir.path()).sign(&other);
    let signature = case.dir.path().join("other.sig");
    let stderr = case.refused(&["--sig", signature.to_str().unwrap()]);
    assert!(stderr.contains("does not match"), "{stderr}");
    assert!(stderr.contains("\nhint:  "), "{stderr}");
}

#[test]
fn image_without_signature_needs_insecure() {
    let case = Case::new(&Recipe::default());
    fs::remove_file(case.dir.path().join("disk.raw.sig")).unwrap();
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("has no signature") && stderr.contains("--insecure"),
        "{stderr}"
    );
    assert_eq!(case.built(&["--insecure"]).image.unwrap().signature, None);
}

#[test]
fn initramfs_without_the_live_program_is_refused_with_what_it_needs() {
    let case = Case::new(&Recipe {
        live_program: "usr/bin/other",
        ..Recipe::default()
    });
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("has no `usr/libexec/coreos-live`") && stderr.contains("live/install.sh"),
        "{stderr}"
    );
}

#[test]
fn image_of_another_architecture_is_refused_by_its_name() {
    let mut kernel = vec![0u8; 4096];
    kernel[0x38..0x3c].copy_from_slice(b"ARM\x64");
    let case = Case::new(&Recipe {
        kernel,
        ..Recipe::default()
    });
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("is for aarch64; media are made for x86_64 only"),
        "{stderr}"
    );
}

#[test]
fn failed_build_leaves_earlier_results_as_they_were() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let before = (list(&case.out()), case.read("os-live.iso"));
    let too_long = "x".repeat(3000);
    assert_eq!(
        case.build(&["--live-karg", &too_long]).status.code(),
        Some(1)
    );
    assert!(before == (list(&case.out()), case.read("os-live.iso")));
}

#[test]
fn wrong_options_end_with_status_2() {
    let case = Case::new(&Recipe::default());
    for wrong in [
        ["--embed-area", "1GiB"],
        ["--compression-level", "23"],
        ["--volume-id", "a b"],
    ] {
        assert_eq!(case.build(&wrong).status.code(), Some(2), "{wrong:?}");
    }
    let output = case
        .builder()
        .env("SOURCE_DATE_EPOCH", "yesterday")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
