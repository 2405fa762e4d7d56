//! Images whose initramfs was built without the live module.

use std::fs;
use std::path::{Path, PathBuf};

use embed::contract::initrd as names;
use embed::initrd::{Archive, Limits, newc};

use crate::Case;
use crate::image::Recipe;

const SYSTEM: &[&str] = &[
    "usr/lib/systemd/systemd",
    "usr/bin/sh",
    "usr/sbin/modprobe",
    "usr/bin/ignition",
    "usr/lib/modules/6.1.0-test/kernel/drivers/block/loop.ko",
    "usr/lib/modules/6.1.0-test/modules.dep",
];
const ROOT: &[(&str, &str)] = &[
    (
        "usr/lib/modules/6.1.0-test/modules.dep",
        "kernel/drivers/block/loop.ko:\n\
         kernel/fs/squashfs/squashfs.ko.xz: kernel/lib/xz.ko.xz\n\
         kernel/drivers/block/virtio_blk.ko:\n",
    ),
    (
        "usr/lib/modules/6.1.0-test/modules.builtin",
        "kernel/fs/overlayfs/overlay.ko\n",
    ),
    (
        "usr/lib/modules/6.1.0-test/kernel/drivers/block/loop.ko",
        "another loop",
    ),
    (
        "usr/lib/modules/6.1.0-test/kernel/fs/squashfs/squashfs.ko.xz",
        "squashfs",
    ),
    ("usr/lib/modules/6.1.0-test/kernel/lib/xz.ko.xz", "xz"),
    (
        "usr/lib/modules/6.1.0-test/kernel/drivers/block/virtio_blk.ko",
        "virtio",
    ),
];
const WANTED: &str =
    "required loop\nrequired squashfs\nrequired overlay\nwanted virtio-blk\nwanted e1000\n";

fn foreign() -> Recipe {
    Recipe {
        live_program: "usr/bin/other",
        initramfs: SYSTEM,
        root: ROOT,
        ..Recipe::default()
    }
}

pub(crate) fn module(dir: &Path, kernel_modules: &str) -> PathBuf {
    let mut cpio = newc::Writer::new(Vec::new());
    for (path, text) in [
        (names::KERNEL_MODULES, kernel_modules),
        (names::LIVE_PROGRAM, "#!/bin/sh\n"),
    ] {
        cpio.file(path, 0o755, text.len() as u64, text.as_bytes())
            .unwrap();
    }
    let path = dir.join("module.cpio");
    fs::write(&path, cpio.finish().unwrap()).unwrap();
    path
}

#[test]
fn live_module_and_missing_kernel_modules_are_added() {
    let case = Case::new(&foreign());
    let module = module(case.dir.path(), WANTED);
    case.built(&["--live-module", module.to_str().unwrap()]);
    let bytes = case.read("os-live-initramfs.img");
    let initramfs = Archive::read(bytes.as_slice(), Limits::IMAGE).unwrap();
    let text = |path: &str| {
        let bytes = initramfs.get(path);
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    assert_eq!(text(names::LIVE_PROGRAM).as_deref(), Some("#!/bin/sh\n"));
    assert_eq!(text("usr/bin/other").as_deref(), Some("code"));
    assert_eq!(text(names::LIVE_STAMP).as_deref(), Some("1.0\n"));
    let file = |name: &str| text(&format!("usr/lib/modules/6.1.0-test/{name}"));
    assert_eq!(
        file("kernel/drivers/block/loop.ko").as_deref(),
        Some("code")
    );
    assert_eq!(
        file("kernel/fs/squashfs/squashfs.ko.xz").as_deref(),
        Some("squashfs")
    );
    assert_eq!(file("kernel/lib/xz.ko.xz").as_deref(), Some("xz"));
    assert_eq!(
        file("kernel/drivers/block/virtio_blk.ko").as_deref(),
        Some("virtio")
    );
    assert_eq!(file("modules.dep").as_deref(), Some(ROOT[0].1));
    // No NetworkManager in it: keyfiles would be ignored.
    let features = text(names::FEATURES).unwrap();
    assert!(
        features.contains("\"live-initrd-network\": false"),
        "{features}"
    );
}

#[test]
fn without_a_module_the_refusal_says_how_to_get_one() {
    let case = Case::new(&foreign());
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("has no `usr/libexec/coreos-live`")
            && stderr.contains("coreos-live pack-module"),
        "{stderr}"
    );
}

#[test]
fn initramfs_of_another_kind_is_refused_with_all_that_it_lacks() {
    let case = Case::new(&Recipe {
        initramfs: &["init", "bin/sh"],
        ..foreign()
    });
    let module = module(case.dir.path(), WANTED);
    let stderr = case.refused(&["--live-module", module.to_str().unwrap()]);
    assert!(
        stderr.contains("cannot take the live module: it has no systemd, no modprobe, no Ignition"),
        "{stderr}"
    );
}

#[test]
fn kernel_modules_that_cannot_be_had_are_named() {
    let case = Case::new(&foreign());
    let unknown = module(case.dir.path(), "required loop\nrequired nosuch\n");
    let stderr = case.refused(&["--live-module", unknown.to_str().unwrap()]);
    assert!(
        stderr.contains("there is no kernel module nosuch in the image"),
        "{stderr}"
    );
    let case = Case::new(&Recipe {
        root: &[],
        ..foreign()
    });
    let module = module(case.dir.path(), WANTED);
    let stderr = case.refused(&["--live-module", module.to_str().unwrap()]);
    assert!(
        stderr.contains("no kernel module squashfs, none overlay, and none can be taken")
            && stderr.contains("is unknown; only ext4 is read"),
        "{stderr}"
    );
}

#[test]
fn what_is_no_live_module_is_refused() {
    let case = Case::new(&foreign());
    let stderr = case.refused(&["--live-module", case.image.to_str().unwrap()]);
    assert!(stderr.contains("cannot read the live module"), "{stderr}");
}
