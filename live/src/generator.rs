//! The initramfs' generator: decides what kind of boot this is and pulls in the units for it.
//! The units themselves are files of the dracut module.

use std::fmt;
use std::io;
use std::path::Path;

use embed::contract::karg;
use embed::kargs::Kargs;
use embed::ostree::BootLink;

use crate::ostree;
use crate::rootfs::Source;
use crate::unit_files::{UnitDir, installed};

/// A boot, as the initramfs sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Where the root comes from.
    pub root: Root,
    /// Whether Ignition provisions this boot.
    pub first: bool,
    /// The deployment that becomes the root of an OSTree system.
    pub ostree: Option<BootLink>,
}

/// Where a boot's root comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// The partition that `root=` names.
    Disk,
    /// A live image; `None` when nothing says where it is, which fails later with a reason.
    Live(Option<Source>),
}

impl Boot {
    /// Decides. `live` is whether the initramfs has the live stamp, `unpacked` whether a second
    /// initrd brought the rootfs.
    pub fn decide(kargs: &Kargs, live: bool, unpacked: bool) -> Self {
        let root = if live {
            Root::Live(Source::choose(kargs, unpacked))
        } else {
            Root::Disk
        };
        Self {
            root,
            first: kargs.boolean(karg::FIRSTBOOT),
            // One that is not understood here is left to ostree-prepare-root.
            ostree: BootLink::of(kargs).ok().flatten(),
        }
    }

    /// Pulls in the units for this boot.
    pub fn write_units(&self, units: &UnitDir) -> io::Result<()> {
        let require = |by: &str, unit: &str| units.require(by, unit, &installed(unit));
        require("emergency.target", "coreos-failure.service")?;
        if self.first {
            require("ignition-complete.target", "coreos-config.service")?;
            require(
                "ignition-complete.target",
                "coreos-network-teardown.service",
            )?;
        }
        if let Some(link) = &self.ostree
            && (self.first || self.is_live())
        {
            ostree::mount_var(link, units)?;
        }
        match &self.root {
            Root::Disk if self.first => {
                require("ignition-complete.target", "coreos-network.service")?;
                require("ignition-diskful.target", "coreos-grow.service")
            }
            Root::Disk => Ok(()),
            Root::Live(_) => {
                require("initrd.target", "coreos-network.service")?;
                require("initrd-root-fs.target", "coreos-rootfs.service")?;
                require("initrd-root-fs.target", "coreos-live-root.service")?;
                match &self.ostree {
                    Some(_) => ostree::mount_live_root(units),
                    None => Ok(()),
                }
            }
        }
    }

    /// Whether the root is a live one.
    pub fn is_live(&self) -> bool {
        matches!(self.root, Root::Live(_))
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Disk => f.write_str("disk")?,
            Root::Live(Some(Source::Iso(label))) => {
                write!(f, "live, rootfs on the ISO labelled {label}")?
            }
            Root::Live(Some(Source::Initrd)) => f.write_str("live, rootfs from a second initrd")?,
            Root::Live(Some(Source::Urls(urls))) => {
                write!(f, "live, rootfs from {}", urls.join(" or "))?;
            }
            Root::Live(None) => f.write_str("live, no rootfs named")?,
        }
        if let Some(link) = &self.ostree {
            write!(f, ", OSTree deployment {}", link.path())?;
        }
        f.write_str(if self.first {
            ", first boot"
        } else {
            ", no first boot"
        })
    }
}

/// Runs as a generator; `dir` is its first argument.
pub fn run(kargs: &Kargs, live: bool, dir: &Path) -> io::Result<Boot> {
    let unpacked = Path::new("/")
        .join(embed::contract::initrd::SQUASHFS)
        .exists();
    let boot = Boot::decide(kargs, live, unpacked);
    boot.write_units(&UnitDir::new(dir))?;
    Ok(boot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_files::tests::listing;

    fn links(kargs: &str, live: bool) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        run(&Kargs::parse(kargs), live, dir.path()).unwrap();
        let target = |line: String| {
            line.split_once(" -> /usr/lib/systemd/system/")
                .map(|(link, _)| link.to_owned())
        };
        listing(dir.path()).into_iter().filter_map(target).collect()
    }

    #[test]
    fn first_boot_from_disk_reads_the_config_and_grows() {
        assert_eq!(
            links(
                "root=LABEL=root ignition.firstboot ignition.platform.id=metal",
                false
            ),
            [
                "emergency.target.requires/coreos-failure.service",
                "ignition-complete.target.requires/coreos-config.service",
                "ignition-complete.target.requires/coreos-network-teardown.service",
                "ignition-complete.target.requires/coreos-network.service",
                "ignition-diskful.target.requires/coreos-grow.service",
            ]
        );
    }

    #[test]
    fn later_boot_from_disk_does_nothing() {
        assert_eq!(
            links("root=LABEL=root", false),
            ["emergency.target.requires/coreos-failure.service"]
        );
        assert_eq!(links("ignition.firstboot=0", false).len(), 1);
    }

    #[test]
    fn live_boot_brings_its_root_and_touches_no_disk() {
        let links = links("ignition.firstboot coreos.liveiso=os", true);
        assert!(links.contains(&"initrd-root-fs.target.requires/coreos-rootfs.service".to_owned()));
        assert!(
            links.contains(&"initrd-root-fs.target.requires/coreos-live-root.service".to_owned())
        );
        assert!(!links.iter().any(|link| link.contains("grow")), "{links:?}");
    }

    #[test]
    fn ostree_system_gets_its_var_while_ignition_runs_and_live_its_physical_root() {
        const LINK: &str = "ostree=/ostree/boot.1/os/0a1b/0";
        let written = |kargs: &str, live| {
            let dir = tempfile::tempdir().unwrap();
            run(&Kargs::parse(kargs), live, dir.path()).unwrap();
            listing(dir.path())
        };
        let has = |units: &[String], start: &str| units.iter().any(|line| line.starts_with(start));
        let first = written(&format!("ignition.firstboot {LINK}"), false);
        assert!(has(
            &first,
            "initrd-root-fs.target.requires/sysroot-var.mount -> "
        ));
        assert!(!has(&first, "sysroot.mount"), "{first:?}");
        assert!(!has(&written(LINK, false), "sysroot-var.mount"));
        let live = written(&format!("ignition.firstboot {LINK}"), true);
        for unit in [
            "sysroot.mount",
            "sysroot-var.mount",
            "ostree-prepare-root.service",
        ] {
            let link = format!("initrd-root-fs.target.requires/{unit} -> ");
            assert!(has(&live, &link), "{unit} in {live:?}");
        }
        assert!(has(
            &live,
            "sysroot.mount: [Unit]\nDescription=Physical root of the live OSTree system\n"
        ));
        assert!(has(
            &live,
            "coreos-livepxe-rootfs.service.d/coreos.conf: [Unit]\nConditionPathExists=!/etc/coreos-live-initramfs\n"
        ));
        let other = written("ignition.firstboot ostree=/somewhere", true);
        assert!(!has(&other, "sysroot"), "{other:?}");
    }

    #[test]
    fn the_log_line_says_what_was_decided() {
        let line = |kargs: &str, live, unpacked| {
            Boot::decide(&Kargs::parse(kargs), live, unpacked).to_string()
        };
        assert_eq!(line("", false, false), "disk, no first boot");
        assert_eq!(
            line("ignition.firstboot coreos.liveiso=os", true, true),
            "live, rootfs on the ISO labelled os, first boot"
        );
        assert_eq!(
            line("ignition.firstboot", true, true),
            "live, rootfs from a second initrd, first boot"
        );
        assert_eq!(
            line("", true, false),
            "live, no rootfs named, no first boot"
        );
        assert_eq!(
            line("ostree=/ostree/boot.0/os/0a1b/0", false, false),
            "disk, OSTree deployment ostree/boot.0/os/0a1b/0, no first boot"
        );
    }
}
