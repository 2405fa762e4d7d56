//! Modules of a few bytes over surveys of a few paths.

use embed::contract::initrd as names;

use super::*;

fn write(path: &Path, files: &[(&str, &[u8])]) {
    let mut cpio = newc::Writer::new(Vec::new());
    for (name, bytes) in files {
        cpio.file(name, 0o755, bytes.len() as u64, *bytes).unwrap();
    }
    cpio.symlink("usr/bin/is-live-image", "/usr/libexec/coreos-live")
        .unwrap();
    std::fs::write(path, cpio.finish().unwrap()).unwrap();
}

fn survey(names: &[&str]) -> Survey {
    let mut cpio = newc::Writer::new(Vec::new());
    for name in names {
        cpio.file(name, 0o644, 0, b"".as_slice()).unwrap();
    }
    Survey::of(cpio.finish().unwrap().as_slice()).unwrap()
}

const LIST: &[u8] = b"required loop\nwanted e1000\n";

#[test]
fn what_an_initramfs_has_stays_and_the_rest_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("module");
    write(
        &path,
        &[
            (names::LIVE_PROGRAM, b"#!/bin/sh"),
            (names::KERNEL_MODULES, LIST),
            ("usr/sbin/setfiles", b"ours"),
            ("etc/machine-id", b""),
        ],
    );
    let module = LiveModule::read(&path).unwrap();
    assert_eq!(
        module.kernel_modules(),
        [("loop".to_owned(), true), ("e1000".to_owned(), false)]
    );
    let kernel = KernelModules {
        files: [("usr/lib/modules/6.1/loop.ko".to_owned(), b"elf".to_vec())].into(),
    };
    let there = survey(&["usr/sbin/setfiles", "./usr/lib", "etc/machine-id"]);
    let archive = module.archive(&there, kernel.clone()).unwrap();
    assert_eq!(archive.len() % 4, 0);
    let mut seen = Vec::new();
    walk(archive.as_slice(), LIMITS, |entry, _| {
        seen.push(entry.name.clone());
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(
        seen,
        [
            "etc/machine-id",
            "usr",
            "usr/bin/is-live-image",
            "usr/lib/coreos-live/kernel-modules",
            "usr/lib/modules",
            "usr/lib/modules/6.1",
            "usr/lib/modules/6.1/loop.ko",
            "usr/libexec/coreos-live",
        ]
    );
    assert!(archive == module.archive(&there, kernel).unwrap());
}

#[test]
fn live_part_of_another_kind_is_silenced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("module");
    write(
        &path,
        &[
            (names::LIVE_PROGRAM, b"#!/bin/sh"),
            (names::KERNEL_MODULES, LIST),
        ],
    );
    let module = LiveModule::read(&path).unwrap();
    let links = |there: &[&str]| {
        let archive = module.archive(&survey(there), KernelModules::default());
        let mut links = Vec::new();
        walk(archive.unwrap().as_slice(), LIMITS, |entry, data| {
            let mut target = String::new();
            data.read_to_string(&mut target).map_err(InitrdError::Io)?;
            if entry.is_symlink() {
                links.push((entry.name.clone(), target));
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        links
    };
    let ours = (
        "usr/bin/is-live-image".to_owned(),
        "/usr/libexec/coreos-live".to_owned(),
    );
    assert_eq!(links(&[]), std::slice::from_ref(&ours));
    let generator = "usr/lib/systemd/system-generators/live-generator";
    assert_eq!(
        links(&[generator, "usr/bin/is-live-image"]),
        [ours, (generator.to_owned(), "/dev/null".to_owned())]
    );
}

#[test]
fn files_that_are_no_module_for_this_machine_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("module");
    write(&path, &[(names::KERNEL_MODULES, LIST)]);
    let error = LiveModule::read(&path).unwrap_err();
    assert!(
        matches!(error, ModuleError::NotAModule { missing, .. } if missing == names::LIVE_PROGRAM)
    );
    let mut arm = b"\x7fELF\x02\x01\x01".to_vec();
    arm.resize(64, 0);
    arm[ELF_MACHINE] = 183;
    write(
        &path,
        &[(names::LIVE_PROGRAM, &arm), (names::KERNEL_MODULES, LIST)],
    );
    let error = LiveModule::read(&path).unwrap_err();
    assert!(matches!(error, ModuleError::Architecture { .. }), "{error}");
    std::fs::write(&path, b"not a cpio").unwrap();
    let error = LiveModule::read(&path).unwrap_err();
    assert!(matches!(error, ModuleError::Read { .. }), "{error}");
}

#[test]
fn an_initramfs_says_what_it_lacks() {
    assert_eq!(
        survey(&["init"]).lacks(),
        ["systemd", "a shell", "modprobe", "Ignition"]
    );
    let fit = survey(&[
        "./usr/lib/systemd/systemd",
        "/bin/sh",
        "usr/sbin/modprobe",
        "usr/bin/ignition",
    ]);
    assert_eq!(fit.lacks(), Vec::<&str>::new());
    assert!(!fit.is_live() && !fit.has_network());
    assert!(survey(&[names::LIVE_PROGRAM, "usr/libexec/nm-initrd-generator"]).has_network());
}

#[test]
fn a_kernel_tells_its_release_or_nothing() {
    let kernel = |text: &[u8], at: u16| {
        let mut out = vec![0u8; 0x400];
        out[0x20e..0x210].copy_from_slice(&at.to_le_bytes());
        out[0x300..0x300 + text.len()].copy_from_slice(text);
        out
    };
    let release = kernel(b"6.1.0-13-amd64 (debian) #1", 0x100);
    assert_eq!(kernel_release(&release).as_deref(), Some("6.1.0-13-amd64"));
    for bad in [
        kernel(b"../../etc", 0x100),
        kernel(b"", 0x100),
        kernel(b"6.1", 0xfff0),
        Vec::new(),
    ] {
        assert_eq!(kernel_release(&bad), None);
    }
}
