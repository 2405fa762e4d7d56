//! Media from parts that an earlier build made, and parts that do not belong together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use embed::contract::initrd as names;
use embed::initrd::Archive;
use embed::manifest::Manifest;
use embed::stream_hash::StreamHash;

use crate::image::Recipe;
use crate::{Case, list};

/// The parts of a build.
struct Parts {
    kernel: PathBuf,
    initramfs: PathBuf,
    rootfs: PathBuf,
}

impl Parts {
    fn of(dir: &Path) -> Self {
        Self {
            kernel: dir.join("os-live-kernel"),
            initramfs: dir.join("os-live-initramfs.img"),
            rootfs: dir.join("os-live-rootfs.img"),
        }
    }

    fn pack(&self, out: &Path) -> Output {
        self.packer(out).output().unwrap()
    }

    fn packer(&self, out: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iso-builder"));
        command
            .env_remove("SOURCE_DATE_EPOCH")
            .args(["build", "--name", "os", "--kernel"])
            .arg(&self.kernel)
            .arg("--initramfs")
            .arg(&self.initramfs)
            .arg("--rootfs")
            .arg(&self.rootfs)
            .arg("-o")
            .arg(out);
        command
    }

    fn refused(&self, out: &Path) -> String {
        let output = self.pack(out);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(list(out), Vec::<String>::new());
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn packed_parts_give_the_iso_that_the_image_gave() {
    let case = Case::new(&Recipe::default());
    let built = case.built(&["--no-image"]);
    let out = case.dir.path().join("packed");
    let output = Parts::of(&case.out()).pack(&out);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(list(&out), list(&case.out()));
    for name in list(&out) {
        assert!(
            fs::read(out.join(&name)).unwrap() == case.read(&name),
            "{name}"
        );
    }
    let manifest = Manifest::parse(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest, built);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let out = case.dir.path().join("packed");
    let mut rootfs = case.read("os-live-rootfs.img");
    let middle = rootfs.len() / 2;
    rootfs[middle] ^= 1;
    let wrong = case.dir.path().join("rootfs.img");
    fs::write(&wrong, rootfs).unwrap();
    let parts = Parts {
        rootfs: wrong,
        ..Parts::of(&case.out())
    };
    let stderr = parts.refused(&out);
    assert!(
        stderr.contains("is not the one that the initramfs waits for") && stderr.contains("hint:"),
        "{stderr}"
    );
}

#[test]
fn initramfs_of_a_disk_is_refused_as_not_live() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let parts = Parts {
        initramfs: case.dir.path().join("boot/initramfs-1.img"),
        ..Parts::of(&case.out())
    };
    let stderr = parts.refused(&case.dir.path().join("packed"));
    assert!(
        stderr.contains("it is not a live one") && stderr.contains("`--image`"),
        "{stderr}"
    );
}

/// Parts as another builder makes them: the rootfs is checked, and nothing tells of an image.
fn others(case: &Case) -> Parts {
    let rootfs = case.dir.path().join("others-rootfs.img");
    let mut archive = Archive::default();
    archive.insert(names::ROOTFS_STAMP, "42.1\n").unwrap();
    archive.insert("root.erofs", vec![7; 300_000]).unwrap();
    fs::write(&rootfs, archive.to_cpio().unwrap()).unwrap();
    let hash = StreamHash::of_reader(fs::File::open(&rootfs).unwrap(), 256 * 1024).unwrap();
    let initramfs = case.dir.path().join("others-initramfs.img");
    let mut archive = Archive::default();
    archive.insert(names::LIVE_STAMP, "42.1\n").unwrap();
    archive
        .insert(names::WANT_ROOTFS, hash.to_string())
        .unwrap();
    fs::write(&initramfs, archive.to_cpio().unwrap()).unwrap();
    Parts {
        kernel: case.dir.path().join("boot/vmlinuz-1"),
        initramfs,
        rootfs,
    }
}

#[test]
fn parts_of_another_builder_are_started_as_their_image_is() {
    let case = Case::new(&Recipe::default());
    let parts = others(&case);
    let out = case.out();
    let stderr = parts.refused(&out);
    assert!(
        stderr.contains("another builder made it") && stderr.contains("`--image`"),
        "{stderr}"
    );
    let mut packer = parts.packer(&out);
    let output = packer
        .env("GNUPGHOME", case.signer.home())
        .args(["--version", "42.1", "--image"])
        .arg(&case.image)
        .arg("--keyring")
        .arg(&case.keys)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let manifest = Manifest::parse(&case.read("manifest.json")).unwrap();
    let kargs = [
        "console=ttyS0",
        "ignition.firstboot",
        "ignition.platform.id=metal",
    ];
    assert_eq!(manifest.kargs, kargs);
    assert_eq!(manifest.source.version, "42.1");
    assert!(manifest.image.is_some(), "the image lies beside the media");
    for (name, part) in [
        ("os-live-kernel", &parts.kernel),
        ("os-live-initramfs.img", &parts.initramfs),
        ("os-live-rootfs.img", &parts.rootfs),
    ] {
        assert!(case.read(name) == fs::read(part).unwrap(), "{name}");
    }
    let verified = Command::new(env!("CARGO_BIN_EXE_iso-builder"))
        .arg("verify")
        .arg(out.join("os-live.iso"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(
        verified.status.success() && said.contains("another builder made it"),
        "{said}"
    );
}

#[test]
fn an_image_beside_parts_that_hold_theirs_is_refused() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let out = case.dir.path().join("packed");
    let mut packer = Parts::of(&case.out()).packer(&out);
    let output = packer.arg("--image").arg(&case.image).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("leave `--image` out"), "{stderr}");
    assert_eq!(list(&out), Vec::<String>::new());
}

#[test]
fn parts_come_together_or_not_at_all() {
    let output = Command::new(env!("CARGO_BIN_EXE_iso-builder"))
        .args(["build", "--kernel", "k", "--name", "os", "-o", "out"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
