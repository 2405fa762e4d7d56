//! What the boot of an OSTree system needs beside the `ostree-prepare-root` of its own initramfs,
//! which makes a deployment on the physical root the root: a unit that puts the live root where that
//! program looks for the physical root, and the system's `/var` while Ignition writes.
//!
//! Which deployment it is says [`embed::ostree`]. See ostree's `src/switchroot`.

use std::io;
use std::path::{Path, PathBuf};

use embed::contract::{initrd, run};
use embed::ostree::BootLink;

use crate::unit_files::{UnitDir, installed};

/// Tells units of CoreOS systems that they are in a live one.
pub const LIVE_STAMP: &str = "/run/ostree-live";
/// Makes the deployment the root.
const PREPARE_ROOT: &str = "ostree-prepare-root.service";
/// Units of the live part that CoreOS systems have in their initramfs; they look for a rootfs of
/// another kind.
const OTHER_LIVE_UNITS: [&str; 3] = [
    "coreos-liveiso-persist-osmet.service",
    "coreos-livepxe-persist-osmet.service",
    "coreos-livepxe-rootfs.service",
];
const ROOT_TARGET: &str = "initrd-root-fs.target";

/// The system's `/var` lies beside its deployments. The real root mounts it late, so Ignition would
/// write below the mount point.
pub fn mount_var(link: &BootLink, units: &UnitDir) -> io::Result<()> {
    let unit = format!(
        "[Unit]\nDescription=/var of the OSTree system\nDefaultDependencies=no\n\
         After={PREPARE_ROOT}\nBefore={ROOT_TARGET} ignition-mount.service\n\
         [Mount]\nWhat=/sysroot/sysroot/{}\nWhere=/sysroot/var\nType=none\nOptions=bind\n",
        link.var()
    );
    pull_in("sysroot-var.mount", &unit, units)
}

/// `ostree-prepare-root` wants the physical root to be mounted by `sysroot.mount`.
pub fn mount_live_root(units: &UnitDir) -> io::Result<()> {
    let unit = format!(
        "[Unit]\nDescription=Physical root of the live OSTree system\nDefaultDependencies=no\n\
         Requires=coreos-live-root.service\nAfter=coreos-live-root.service\nBefore={ROOT_TARGET}\n\
         [Mount]\nWhat={}\nWhere=/sysroot\nType=none\nOptions=bind\n",
        run::PHYSICAL_ROOT
    );
    pull_in("sysroot.mount", &unit, units)?;
    units.require(ROOT_TARGET, PREPARE_ROOT, &installed(PREPARE_ROOT))?;
    let never = format!("[Unit]\nConditionPathExists=!/{}\n", initrd::LIVE_STAMP);
    OTHER_LIVE_UNITS
        .iter()
        .try_for_each(|unit| units.drop_in(unit, &never))
}

fn pull_in(name: &str, text: &str, units: &UnitDir) -> io::Result<()> {
    units.unit(name, text)?;
    units.require(ROOT_TARGET, name, &units.path(name))
}

/// The deployment that `link` leads to on the physical root at `physical`.
pub fn deployment(physical: &Path, link: &BootLink) -> io::Result<PathBuf> {
    let physical = physical.canonicalize()?;
    let found = physical.join(link.path()).canonicalize()?;
    // An absolute link would lead into the initramfs.
    if found.starts_with(&physical) && found.is_dir() {
        Ok(found)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use embed::kargs::Kargs;

    use super::*;
    use crate::unit_files::tests::listing;

    fn link() -> BootLink {
        let kargs = Kargs::parse("ostree=/ostree/boot.1/os/0a1b/0");
        BootLink::of(&kargs).unwrap().unwrap()
    }

    #[test]
    fn var_is_that_of_the_os_and_mounted_between_prepare_root_and_ignition() {
        let dir = tempfile::tempdir().unwrap();
        mount_var(&link(), &UnitDir::new(dir.path())).unwrap();
        let units = listing(dir.path());
        let unit = units
            .iter()
            .find_map(|line| line.strip_prefix("sysroot-var.mount: "))
            .unwrap();
        for line in [
            "What=/sysroot/sysroot/ostree/deploy/os/var\n",
            "Where=/sysroot/var\n",
            "After=ostree-prepare-root.service\n",
            "Before=initrd-root-fs.target ignition-mount.service\n",
        ] {
            assert!(unit.contains(line), "{unit}");
        }
    }

    #[test]
    fn deployment_is_found_through_its_link_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let deployed = root.join("ostree/deploy/os/deploy/0a1b.0");
        let boot = root.join("ostree/boot.1/os/0a1b");
        fs::create_dir_all(&deployed).unwrap();
        fs::create_dir_all(&boot).unwrap();
        let absent = deployment(&root, &link()).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        symlink("../../../deploy/os/deploy/0a1b.0", boot.join("0")).unwrap();
        let found = deployment(&root, &link()).unwrap();
        assert_eq!(found, deployed.canonicalize().unwrap());
        fs::remove_file(boot.join("0")).unwrap();
        symlink(dir.path(), boot.join("0")).unwrap();
        let outside = deployment(&root, &link()).unwrap_err();
        assert_eq!(outside.kind(), io::ErrorKind::NotADirectory);
    }
}
