//! The real root's generator. From a disk: mounts boot read-only, lets the root file system grow,
//! and finishes a first boot. Live: starts the unattended install when one is asked for; nothing
//! of any disk is mounted, because a mounted disk cannot be installed to.

use std::fs;
use std::io;
use std::path::Path;

use embed::contract::{boot, karg};
use embed::kargs::Kargs;

use crate::unit_files::{UnitDir, installed};

/// What the real root's generator decides from.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Kernel arguments.
    pub kargs: &'a Kargs,
    /// Whether this is a live system.
    pub live: bool,
    /// Whether `/etc/coreos/installer.d` holds a config.
    pub installer_configs: bool,
    /// Whether the machine was given a config; without one it lets its user in.
    pub has_config: bool,
}

/// The two directories of a generator that are used.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// Units that the administrator can override.
    pub normal: UnitDir,
    /// Units that go before the administrator's.
    pub early: UnitDir,
}

/// Writes the units for this boot.
pub fn write_units(situation: Situation<'_>, dirs: &Dirs) -> io::Result<()> {
    if situation.live {
        live(situation, dirs)
    } else {
        disk(situation.kargs, &dirs.normal)
    }
}

fn disk(kargs: &Kargs, units: &UnitDir) -> io::Result<()> {
    units.unit("boot.mount", &boot_mount())?;
    units.require("local-fs.target", "boot.mount", &units.path("boot.mount"))?;
    units.unit("coreos-growfs.service", &growfs(kargs))?;
    units.want(
        "local-fs.target",
        "coreos-growfs.service",
        &units.path("coreos-growfs.service"),
    )?;
    if !kargs.boolean(karg::FIRSTBOOT) {
        return Ok(());
    }
    let mut wanted = vec!["coreos-first-boot-complete.service"];
    if kargs.last(karg::REPORT_URL).is_some() {
        wanted.push("coreos-report.service");
    }
    wanted
        .iter()
        .try_for_each(|unit| units.want("multi-user.target", unit, &installed(unit)))
}

fn live(situation: Situation<'_>, dirs: &Dirs) -> io::Result<()> {
    let kargs = situation.kargs;
    dirs.normal.require(
        "emergency.target",
        "coreos-failure.service",
        &installed("coreos-failure.service"),
    )?;
    // The live system's root has no password; whoever stands before it may repair it.
    dirs.normal.drop_in(
        "emergency.service",
        "[Service]\nEnvironment=SYSTEMD_SULOGIN_FORCE=1\n",
    )?;
    if !situation.has_config {
        dirs.normal
            .drop_in("getty@.service", &autologin("--noclear - $TERM"))?;
        dirs.normal.drop_in(
            "serial-getty@.service",
            &autologin("--keep-baud 115200,57600,38400,9600 - $TERM"),
        )?;
    }
    if kargs.last(karg::INST_DEV).is_none() && !situation.installer_configs {
        return match kargs.last(karg::DISCOVER) {
            Some(_) => {
                let unit = "coreos-discover.service";
                dirs.normal
                    .want("multi-user.target", unit, &installed(unit))
            }
            None => Ok(()),
        };
    }
    if kargs.boolean(karg::INST_SKIP_REBOOT) {
        let target = "coreos-installer.target";
        return dirs
            .normal
            .want("multi-user.target", target, &installed(target));
    }
    let target = installed("coreos-installer-post.target");
    dirs.early.alias("default.target", &target)
}

fn boot_mount() -> String {
    format!(
        "[Unit]\nDescription=Boot partition\nBefore=local-fs.target\n\
         [Mount]\nWhat=/dev/disk/by-label/{}\nWhere=/boot\nOptions=ro,nodev,nosuid\n",
        boot::LABEL
    )
}

/// systemd 252 has no static unit for this. The root of an OSTree system is a directory of what is
/// mounted on `/sysroot`, or an overlay over it.
fn growfs(kargs: &Kargs) -> String {
    let root = match kargs.last(karg::OSTREE) {
        Some(_) => "/sysroot",
        None => "/",
    };
    format!(
        "[Unit]\nDescription=Grow the root file system to its partition\nDefaultDependencies=no\n\
         After=systemd-remount-fs.service\nBefore=local-fs.target shutdown.target\n\
         Conflicts=shutdown.target\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/lib/systemd/systemd-growfs {root}\n"
    )
}

fn autologin(arguments: &str) -> String {
    format!(
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty -o '-p -f -- \\\\u' --autologin core {arguments}\n"
    )
}

/// Whether `dir` holds a file.
pub fn holds_files(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_file()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_files::tests::listing;

    fn run(kargs: &str, live: bool, installer_configs: bool) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs {
            normal: UnitDir::new(dir.path().join("normal")),
            early: UnitDir::new(dir.path().join("early")),
        };
        let kargs = Kargs::parse(kargs);
        write_units(
            Situation {
                kargs: &kargs,
                live,
                installer_configs,
                has_config: true,
            },
            &dirs,
        )
        .unwrap();
        listing(dir.path())
    }

    fn has(listing: &[String], start: &str) -> bool {
        listing.iter().any(|line| line.starts_with(start))
    }

    #[test]
    fn disk_boots_mount_boot_read_only_and_grow() {
        let units = run("root=LABEL=root", false, false);
        let mount = units
            .iter()
            .find(|line| line.starts_with("normal/boot.mount:"))
            .unwrap();
        assert!(
            mount.contains("What=/dev/disk/by-label/boot") && mount.contains("Options=ro,"),
            "{mount}"
        );
        assert!(has(
            &units,
            "normal/local-fs.target.requires/boot.mount -> "
        ));
        assert!(has(
            &units,
            "normal/local-fs.target.wants/coreos-growfs.service -> "
        ));
        assert!(!has(&units, "normal/multi-user.target.wants"));
    }

    #[test]
    fn file_system_that_grows_is_the_physical_root() {
        let grown = |kargs: &str| {
            let units = run(kargs, false, false);
            let unit = units.iter().find(|line| line.contains("systemd-growfs"));
            unit.unwrap().lines().last().unwrap().to_owned()
        };
        assert!(grown("root=LABEL=root").ends_with("systemd-growfs /"));
        assert!(grown("ostree=/ostree/boot.1/os/0a1b/0").ends_with("systemd-growfs /sysroot"));
    }

    #[test]
    fn first_boot_completes_and_reports_only_when_told_where() {
        let complete = "normal/multi-user.target.wants/coreos-first-boot-complete.service -> ";
        let report = "normal/multi-user.target.wants/coreos-report.service -> ";
        let silent = run("ignition.firstboot", false, false);
        assert!(has(&silent, complete) && !has(&silent, report));
        let told = run(
            "ignition.firstboot coreos.report_url=http://s/r",
            false,
            false,
        );
        assert!(has(&told, complete) && has(&told, report));
    }

    #[test]
    fn live_boots_mount_nothing() {
        let units = run("ignition.firstboot", true, false);
        assert!(
            !units
                .iter()
                .any(|line| line.contains("boot.mount") || line.contains("growfs")),
            "{units:?}"
        );
        assert!(!has(&units, "early/"));
    }

    #[test]
    fn an_install_becomes_the_default_target() {
        let target = "early/default.target -> /usr/lib/systemd/system/coreos-installer-post.target";
        assert!(has(
            &run("coreos.inst.install_dev=vda", true, false),
            target
        ));
        assert!(has(&run("", true, true), target));
        assert!(!has(
            &run("coreos.inst.install_dev=vda", false, false),
            "early/"
        ));
    }

    #[test]
    fn with_skip_reboot_the_system_comes_up_as_well() {
        let units = run(
            "coreos.inst.install_dev=vda coreos.inst.skip_reboot",
            true,
            false,
        );
        assert!(has(
            &units,
            "normal/multi-user.target.wants/coreos-installer.target -> "
        ));
        assert!(!has(&units, "early/"));
        assert!(has(
            &run(
                "coreos.inst.install_dev=vda coreos.inst.skip_reboot=no",
                true,
                false
            ),
            "early/"
        ));
    }

    #[test]
    fn a_machine_is_discovered_where_nothing_is_installed() {
        let unit = "normal/multi-user.target.wants/coreos-discover.service -> /usr/lib/systemd/system/coreos-discover.service";
        let discover = "coreos.discover=http://s/next";
        assert!(has(&run(discover, true, false), unit));
        assert!(!has(&run(discover, false, false), unit), "not from a disk");
        assert!(!has(&run("", true, false), unit));
        assert!(!has(&run(discover, true, true), unit));
        let both = run(
            &format!("{discover} coreos.inst.install_dev=vda"),
            true,
            false,
        );
        assert!(!has(&both, unit) && has(&both, "early/default.target -> "));
    }

    #[test]
    fn only_a_system_without_config_lets_its_user_in() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs {
            normal: UnitDir::new(dir.path()),
            early: UnitDir::new(dir.path()),
        };
        let kargs = Kargs::default();
        let open = Situation {
            kargs: &kargs,
            live: true,
            installer_configs: false,
            has_config: false,
        };
        write_units(open, &dirs).unwrap();
        assert!(
            listing(dir.path())
                .iter()
                .any(|line| line.contains("serial-getty@.service.d")
                    && line.contains("--autologin core"))
        );
        assert!(
            !run("", true, false)
                .iter()
                .any(|line| line.contains("autologin"))
        );
    }

    #[test]
    fn only_files_count_as_installer_configs() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!holds_files(&dir.path().join("absent")) && !holds_files(dir.path()));
        fs::create_dir(dir.path().join("sub")).unwrap();
        assert!(!holds_files(dir.path()));
        fs::write(dir.path().join("0000-x.yaml"), "").unwrap();
        assert!(holds_files(dir.path()));
    }
}
