//! The subcommands: each reads what it needs from the running system and calls the library.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use embed::contract::{initrd, run};
use embed::digest::Sha512Digest;
use embed::kargs::Kargs;

use crate::boot_generator::{self, Dirs, Situation};
use crate::config::Given;
use crate::console::Consoles;
use crate::discover::{Devices, PATIENCE};
use crate::unclaimed::Pace;
use crate::unit_files::UnitDir;
use crate::{
    config, failure, firstboot, generator, grow, install, module, network, ostree, rootfs,
    unclaimed,
};

const SYSROOT: &str = "/sysroot";
const ROOT_LABEL: &str = "root";

pub(super) fn is_live_initramfs() -> bool {
    Path::new("/").join(initrd::LIVE_STAMP).exists()
}

pub(super) fn initramfs_generator(dir: &Path) -> anyhow::Result<()> {
    let boot = generator::run(&kargs()?, is_live_initramfs(), dir).context("writing units")?;
    if boot.is_live() && boot.ostree.is_some() {
        fs::write(ostree::LIVE_STAMP, "").context("marking a live OSTree system")?;
    }
    log(&format!("boot from {boot}"));
    Ok(())
}

pub(super) fn boot_generator(normal: &Path, early: &Path) -> anyhow::Result<()> {
    let kargs = kargs()?;
    let no_config = Sha512Digest::of(b"").to_string();
    let situation = Situation {
        kargs: &kargs,
        live: Path::new(run::LIVE_DIR).exists(),
        installer_configs: boot_generator::holds_files(Path::new(run::INSTALLER_D)),
        has_config: !fs::read_to_string(run::CONFIG_SHA512)
            .is_ok_and(|digest| digest.trim() == no_config),
    };
    let dirs = Dirs {
        normal: UnitDir::new(normal),
        early: UnitDir::new(early),
    };
    boot_generator::write_units(situation, &dirs).context("writing units")
}

pub(super) fn config() -> anyhow::Result<()> {
    let given = config::hand_over(&kargs()?, is_live_initramfs())?;
    log(&match given {
        Given::ByUs(bytes) => format!(
            "config of {} bytes, sha512 {}",
            bytes.len(),
            Sha512Digest::of(&bytes)
        ),
        Given::ByPlatform(bytes) => {
            format!(
                "config of {} bytes by the platform, sha512 {}",
                bytes.len(),
                Sha512Digest::of(&bytes)
            )
        }
        Given::ByUrl => "config by URL".to_owned(),
        Given::Nothing => "no config".to_owned(),
    });
    Ok(())
}

pub(super) fn network() -> anyhow::Result<()> {
    Ok(network::enable(&kargs()?)?)
}

pub(super) fn rootfs() -> anyhow::Result<()> {
    Ok(rootfs::obtain(&kargs()?, &Consoles::active())?)
}

pub(super) fn mount_root() -> anyhow::Result<()> {
    let medium = rootfs::mount_root(&kargs()?, Path::new(SYSROOT))?;
    Consoles::active().line(&format!(
        "live system {} {}",
        medium.image.name, medium.image.version
    ));
    Ok(())
}

pub(super) fn grow() -> anyhow::Result<()> {
    let root = Devices::default().wait(ROOT_LABEL, PATIENCE)?;
    anyhow::ensure!(
        root.inside.is_none(),
        "the kernel shows no partitions of {}",
        root.device.display()
    );
    let grown = grow::grow_disk_of(&root.device)?;
    log(&format!("disk of {}: {}", root.device.display(), grown));
    // udev reads the table again after the write and drops its symlinks meanwhile. Without udev
    // there is nothing to wait for.
    let _ = Command::new("udevadm")
        .args(["settle", "--timeout=30"])
        .status();
    Ok(())
}

pub(super) fn teardown_network() -> anyhow::Result<()> {
    for error in network::tear_down(&kargs()?, Path::new(SYSROOT)) {
        log(&format!("network: {error}"));
    }
    Ok(())
}

pub(super) fn dump() -> anyhow::Result<()> {
    failure::dump(&Consoles::active());
    Ok(())
}

pub(super) fn install() -> anyhow::Result<()> {
    Ok(install::run(&kargs()?, &Consoles::active())?)
}

pub(super) fn discover() -> anyhow::Result<()> {
    let consoles = Consoles::active();
    unclaimed::wait(&kargs()?, &consoles, Path::new("/"), Pace::default())?;
    let status = Command::new("systemctl")
        .args(["--no-block", "reboot"])
        .status()
        .context("running systemctl")?;
    anyhow::ensure!(status.success(), "systemctl reboot ended with {status}");
    Ok(())
}

pub(super) fn first_boot_complete() -> anyhow::Result<()> {
    Ok(firstboot::complete(&Consoles::active())?)
}

pub(super) fn report() -> anyhow::Result<()> {
    Ok(firstboot::report(&kargs()?)?)
}

fn kargs() -> anyhow::Result<Kargs> {
    Ok(Kargs::parse(
        &fs::read_to_string("/proc/cmdline").context("reading /proc/cmdline")?,
    ))
}

/// To the kernel's log: generators run before the journal does, and it keeps the order of a boot.
fn log(text: &str) {
    if let Ok(mut kmsg) = fs::OpenOptions::new().write(true).open("/dev/kmsg") {
        // One write is one record. `<6>` is informational; without the log the boot goes on.
        let _ = kmsg.write_all(format!("<6>coreos-live: {text}\n").as_bytes());
    }
}

pub(super) fn pack_module(out: &Path, installer: Option<&Path>) -> anyhow::Result<()> {
    let live = std::env::current_exe().context("finding this program")?;
    let beside = live.with_file_name("coreos-installer");
    Ok(module::pack(out, &live, installer.unwrap_or(&beside))?)
}
