//! Images of OSTree systems: kernel and initramfs in a directory of the deployment's own, the root a
//! directory that a link leads to.

use embed::contract::initrd as names;
use embed::initrd::{Archive, Limits};

use crate::Case;
use crate::foreign::module;
use crate::image::Recipe;

const KARGS: &str = "ostree=/ostree/boot.1/os/0a1b/0";
const PREPARED: &[&str] = &[
    "usr/lib/systemd/systemd",
    "usr/bin/sh",
    "usr/sbin/modprobe",
    "usr/bin/ignition",
    "usr/lib/ostree/ostree-prepare-root",
    "usr/lib/systemd/system-generators/live-generator",
];
const ROOT: &[(&str, &str)] = &[
    (
        "ostree/deploy/os/deploy/0a1b.0/usr/lib/modules/6.1.0-test/modules.dep",
        "kernel/drivers/block/loop.ko:\n",
    ),
    (
        "ostree/deploy/os/deploy/0a1b.0/usr/lib/modules/6.1.0-test/kernel/drivers/block/loop.ko",
        "loop of the deployment",
    ),
    (
        "usr/lib/modules/6.1.0-test/modules.dep",
        "kernel/drivers/block/loop.ko: kernel/nosuch.ko\n",
    ),
];
const LINKS: &[(&str, &str)] = &[
    ("ostree/boot.1", "boot.1.1"),
    (
        "ostree/boot.1.1/os/0a1b/0",
        "../../../deploy/os/deploy/0a1b.0",
    ),
];

fn deployed() -> Recipe {
    Recipe {
        live_program: "usr/bin/other",
        kargs: KARGS,
        initramfs: PREPARED,
        root: ROOT,
        root_links: LINKS,
        kernel_dir: "ostree/os-0a1b",
        ..Recipe::default()
    }
}

#[test]
fn deployment_gives_its_kernel_modules_and_stays_in_the_kernel_arguments() {
    let case = Case::new(&deployed());
    let module = module(case.dir.path(), "required loop\n");
    let manifest = case.built(&["--live-module", module.to_str().unwrap()]);
    assert_eq!(
        manifest.kargs,
        [
            "console=ttyS0",
            KARGS,
            "ostree.prepare-root.composefs=0",
            "enforcing=0",
            "ignition.firstboot",
            "ignition.platform.id=metal"
        ]
    );
    let bytes = case.read("os-live-initramfs.img");
    let initramfs = Archive::read(bytes.as_slice(), Limits::IMAGE).unwrap();
    let loaded = initramfs.get("usr/lib/modules/6.1.0-test/kernel/drivers/block/loop.ko");
    assert_eq!(loaded.unwrap(), b"loop of the deployment");
    assert_eq!(initramfs.get(names::LIVE_PROGRAM).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn deployment_that_is_not_on_the_root_file_system_is_refused_by_its_link() {
    let case = Case::new(&Recipe {
        root_links: &[],
        ..deployed()
    });
    let module = module(case.dir.path(), "required loop\n");
    let stderr = case.refused(&["--live-module", module.to_str().unwrap()]);
    assert!(
        stderr.contains("no kernel module loop, and none can be taken from the image")
            && stderr.contains("has no OSTree deployment `/ostree/boot.1/os/0a1b/0`")
            && stderr.contains("\nhint:  boot loader entry and root"),
        "{stderr}"
    );
}

#[test]
fn root_that_cannot_be_read_is_no_reason_when_the_initramfs_has_all_modules() {
    let case = Case::new(&Recipe {
        root: &[],
        ..deployed()
    });
    let none = module(case.dir.path(), "wanted loop\n");
    case.built(&["--live-module", none.to_str().unwrap()]);
    assert!(case.out().join("os-live.iso").exists());
}

#[test]
fn initramfs_that_makes_no_deployment_the_root_is_refused() {
    let case = Case::new(&Recipe {
        kargs: KARGS,
        kernel_dir: "ostree/os-0a1b",
        ..Recipe::default()
    });
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("has no `usr/lib/ostree/ostree-prepare-root`")
            && stderr
                .contains("\nhint:  build the image's initramfs with dracut's `ostree` module"),
        "{stderr}"
    );
}

#[test]
fn deployment_named_in_another_way_is_refused_with_what_is_known() {
    let case = Case::new(&Recipe {
        kargs: "ostree=/ostree/root.a",
        ..deployed()
    });
    let stderr = case.refused(&[]);
    assert!(
        stderr.contains("cannot tell which OSTree deployment ")
            && stderr.contains("cause: `ostree=/ostree/root.a` is not of the form /ostree/boot.N/"),
        "{stderr}"
    );
}
