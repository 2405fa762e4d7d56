//! Whether a machine is what the config asks for, by what the config's own unit found on it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use embed::digest::Sha512Digest;
use embed::report::Identity;
use tests::guest::DemoMachine;

/// What the machine was given is the config file, byte for byte.
pub(crate) fn config_delivered(identity: &Identity, config: &Path) -> Result<()> {
    let bytes = std::fs::read(config).with_context(|| format!("reading {}", config.display()))?;
    let wanted = Sha512Digest::of(&bytes);
    ensure!(
        identity.config_sha512 == wanted,
        "the machine was given a config with sha512 {}, not {wanted}",
        identity.config_sha512
    );
    Ok(())
}

/// A first boot: Ignition ran, and its user, file and unit are there.
pub(crate) fn first_boot(found: &DemoMachine) -> Result<()> {
    ensure!(
        found.boot == 1,
        "this is boot {} of the disk, not the first",
        found.boot
    );
    ensure!(
        found.firstboot,
        "`ignition.firstboot` is not on the kernel command line of a first boot"
    );
    ensure!(
        found.ignition_lines > 0,
        "Ignition wrote nothing to the journal of a first boot"
    );
    config_applied(found)
}

/// A second boot: Ignition did not run, and everything is still there.
pub(crate) fn second_boot(found: &DemoMachine) -> Result<()> {
    ensure!(
        found.boot == 2,
        "this is boot {} of the disk, not the second",
        found.boot
    );
    ensure!(
        !found.firstboot,
        "`ignition.firstboot` is on the kernel command line of a second boot"
    );
    ensure!(
        found.ignition_lines == 0,
        "Ignition wrote {} lines on a second boot",
        found.ignition_lines
    );
    config_applied(found)
}

fn config_applied(found: &DemoMachine) -> Result<()> {
    ensure!(
        found.user.starts_with("demo:") && found.user.contains("Made by Ignition"),
        "user: passwd has `{}`",
        found.user
    );
    ensure!(
        found.ssh_keys == "demo@coreos-metal",
        "ssh key: found `{}`",
        found.ssh_keys
    );
    ensure!(
        found.file == "640 root:demo the same bytes everywhere",
        "file: found `{}`",
        found.file
    );
    ensure!(found.unit == "enabled", "unit: it is `{}`", found.unit);
    Ok(())
}
