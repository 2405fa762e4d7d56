//! The module as packed from this very test program and a shell, and its way into a root.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use embed::initrd::{Limits, walk};

use super::*;

/// Packs a module with this program as the live one and a copy of it as the installer.
fn packed(dir: &Path) -> PathBuf {
    let out = dir.join("live-module.cpio");
    let own = std::env::current_exe().unwrap();
    pack(&out, &own, &own).unwrap();
    out
}

/// Unpacks an archive below `to`.
fn unpack(archive: &Path, to: &Path) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    let bytes = fs::read(archive).unwrap();
    walk(bytes.as_slice(), Limits::IMAGE, |entry, data| {
        let path = to.join(&entry.name);
        let mut content = Vec::new();
        data.read_to_end(&mut content).unwrap();
        if entry.is_directory() {
            fs::create_dir(&path).unwrap();
        } else if entry.is_symlink() {
            let target = String::from_utf8(content).unwrap();
            symlink(&target, &path).unwrap();
            links.insert(entry.name.clone(), target);
        } else {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode & 0o777)).unwrap();
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    links
}

#[test]
fn programs_find_every_library_in_the_module() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    unpack(&packed(dir.path()), &tree);
    let module = tree.join(initrd::MODULE);
    let libraries = module.join("lib");
    let linker = libraries.join("ld.so");
    let program = module.join("bin/coreos-live");
    let list = Command::new(&linker)
        .args(["--list", "--library-path"])
        .args([&libraries, &program])
        .output()
        .unwrap();
    let listing = String::from_utf8(list.stdout).unwrap();
    let outside: Vec<&str> = listing
        .lines()
        .filter(|line| line.contains(" => ") && !line.contains(libraries.to_str().unwrap()))
        .filter(|line| !line.contains("ld-linux"))
        .collect();
    assert!(list.status.success() && outside.is_empty(), "{listing}");
    let run = Command::new(&linker)
        .arg("--library-path")
        .args([&libraries, &program])
        .arg("--help")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn module_has_what_the_dracut_module_installs() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let links = unpack(&packed(dir.path()), &tree);
    let live = format!("/{}", initrd::LIVE_PROGRAM);
    for link in [
        "usr/lib/systemd/system-generators/coreos-live-generator",
        "usr/bin/is-live-image",
        "usr/lib/coreos-live/root/usr/lib/systemd/system-generators/coreos-boot-generator",
    ] {
        assert_eq!(links.get(link), Some(&live), "{link}");
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    for (from, to) in [
        ("initrd", "usr/lib/systemd/system"),
        ("system", "usr/lib/coreos-live/root/usr/lib/systemd/system"),
    ] {
        for unit in fs::read_dir(sources.join(from))
            .unwrap()
            .map(Result::unwrap)
        {
            let packed = tree.join(to).join(unit.file_name());
            assert_eq!(
                fs::read_to_string(&packed).unwrap(),
                fs::read_to_string(unit.path()).unwrap(),
                "{}",
                packed.display()
            );
        }
    }
    assert!(
        tree.join("usr/lib/systemd/system/coreos-failure.service")
            .is_file()
    );
}

#[test]
fn kernel_modules_are_those_of_the_dracut_module_and_more() {
    let setup = include_str!("../../dracut/35coreos-metal/module-setup.sh");
    let list = setup
        .split_once("instmods -c")
        .unwrap()
        .1
        .split_once('}')
        .unwrap()
        .0;
    let ours = content::fixed(true);
    let content::Node::File(_, listed) = &ours[initrd::KERNEL_MODULES] else {
        panic!("the list is a file")
    };
    let listed = String::from_utf8(listed.clone()).unwrap();
    for name in list.split_whitespace().filter(|word| *word != "\\") {
        let name = name.replace('-', "_");
        assert!(
            listed
                .lines()
                .any(|line| line.split_once(' ').unwrap().1 == name),
            "{name}"
        );
    }
}

#[test]
fn same_programs_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let first = fs::read(packed(dir.path())).unwrap();
    assert!(first == fs::read(packed(dir.path())).unwrap());
}

#[test]
fn the_root_gets_programs_and_units_and_keeps_its_own_settings() {
    let dir = tempfile::tempdir().unwrap();
    let (initramfs, root) = (dir.path().join("initramfs"), dir.path().join("root"));
    for part in [&initramfs, &root.join("etc/selinux"), &root.join("usr/bin")] {
        fs::create_dir_all(part).unwrap();
    }
    fs::write(root.join("etc/selinux/config"), "SELINUX=enforcing\n").unwrap();
    fs::write(root.join("usr/bin/coreos-installer"), "another").unwrap();
    graft(&initramfs, &root).unwrap();
    assert!(!root.join(initrd::MODULE).exists());
    unpack(&packed(dir.path()), &initramfs);
    graft(&initramfs, &root).unwrap();
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(text("etc/selinux/config"), "SELINUX=enforcing\n");
    assert!(text("usr/bin/coreos-installer").starts_with("#!/bin/sh\n"));
    assert!(
        text("usr/lib/systemd/system/coreos-installer.service").contains("coreos-live install")
    );
    let mode = root
        .join(initrd::LIVE_PROGRAM)
        .metadata()
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o755);
    assert!(root.join("usr/lib/coreos-live/lib/ld.so").is_file());
    // A second boot of the same kind finds them there.
    graft(&initramfs, &root).unwrap();
}
