//! Media from parts that an earlier build made, and parts that do not belong together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use embed::manifest::Manifest;

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
        Command::new(env!("CARGO_BIN_EXE_iso-builder"))
            .env_remove("SOURCE_DATE_EPOCH")
            .args(["build", "--name", "os", "--kernel"])
            .arg(&self.kernel)
            .arg("--initramfs")
            .arg(&self.initramfs)
            .arg("--rootfs")
            .arg(&self.rootfs)
            .arg("-o")
            .arg(out)
            .output()
            .unwrap()
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

#[test]
fn parts_come_together_or_not_at_all() {
    let output = Command::new(env!("CARGO_BIN_EXE_iso-builder"))
        .args(["build", "--kernel", "k", "--name", "os", "-o", "out"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
