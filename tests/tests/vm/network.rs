//! Machines that are installed over the network: by a kernel handed over with what the server's
//! script says, and by real firmware from the first DHCP packet on.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use embed::report::Identity;
use tests::guest::{self, DEMO, DemoMachine, INSTALL_DONE, PROVISIONED};
use tests::lab::Lab;
use tests::lan::PXE_SERVER;
use tests::server::url;
use tests::site::MAC;
use tests::vm::{Boot, Drive, Firmware, OnReboot, Vm};

use crate::bench::Bench;
use crate::case::{Case, Tier};
use crate::rack::installs_by;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "netbooted_machine_is_installed_once_and_provisioned",
        tier: Tier::Small,
        run: installed_once,
    },
    Case {
        name: "firmware_boots_the_live_system_beside_a_plain_dhcp_server",
        tier: Tier::Small,
        run: by_firmware,
    },
    Case {
        name: "published_image_is_installed_by_url_with_its_signature",
        tier: Tier::Full,
        run: by_url,
    },
    Case {
        name: "rootfs_comes_by_tftp",
        tier: Tier::Full,
        run: by_tftp,
    },
];

fn installed_once(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    install_and_boot(bench, &mut lab)?;
    let script = lab.server()?.script(MAC)?;
    ensure!(
        !script.contains("kernel "),
        "a provisioned machine is told to install again:\n{script}"
    );
    Ok(())
}

fn by_url(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), install_published)?;
    install_and_boot(bench, &mut lab)
}

/// Makes the demo's profile install the published image instead of the live medium's own.
pub(crate) fn install_published(site: &Path) -> Result<()> {
    let path = site.join("profiles/demo.yaml");
    let profile = std::fs::read_to_string(&path)?;
    ensure!(
        profile.contains("image: live"),
        "the demo's profile has changed"
    );
    Ok(std::fs::write(
        &path,
        profile.replace("image: live", "image: published"),
    )?)
}

fn install_and_boot(bench: &Bench, lab: &mut Lab) -> Result<()> {
    let disk = bench.empty_disk()?;
    let mut vm = start_live(bench, lab, &disk, 2048)?;
    bench.say("live system starting");
    vm.wait_for(INSTALL_DONE, bench.patience(60))?;
    bench.say("installed");
    vm.wait_off(bench.patience(10))?;
    let machine = lab
        .server()?
        .machine(MAC)?
        .context("the server has not seen the machine")?;
    ensure!(
        machine.state == "installed",
        "after the install the server says `{}`",
        machine.state
    );

    let mut vm = bench
        .machine("disk", Firmware::SeaBios)
        .drive(Drive::Disk(disk))
        .nic(lab.nic())
        .start()?;
    bench.say("booting the disk by BIOS");
    let [provisioned, demo] =
        vm.wait_for_all([PROVISIONED, DEMO], bench.patience(60), || Ok(()))?;
    let printed: Identity = guest::identity(&provisioned)?;
    let found: DemoMachine = guest::read(&demo, DEMO)?;
    ensure!(
        found.boot == 1 && found.unit == "enabled",
        "the config was not applied: {found:?}"
    );
    let machine = lab
        .server()?
        .wait_state(MAC, "provisioned", bench.patience(10))?;
    ensure!(
        machine.identity == Some(printed),
        "the server was told {:?}",
        machine.identity
    );
    Ok(())
}

fn by_tftp(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    let disk = bench.empty_disk()?;
    let (from, to) = (url("/assets/"), format!("tftp://{PXE_SERVER}/assets/"));
    let mut vm = start_live_with(bench, &mut lab, &disk, 2048, |kargs| {
        kargs.replace(&from, &to)
    })?;
    vm.wait_for(
        &format!("coreos-metal: rootfs: fetching {to}"),
        bench.patience(60),
    )?;
    vm.wait_for(INSTALL_DONE, bench.patience(90))?;
    vm.wait_off(bench.patience(10))
}

/// Starts the live system of the server's media by kernel and initramfs, with the arguments of
/// the script that the server gives this machine. The machine ends when it reboots.
pub(crate) fn start_live(bench: &Bench, lab: &mut Lab, disk: &Path, memory_mib: u32) -> Result<Vm> {
    start_live_with(bench, lab, disk, memory_mib, str::to_owned)
}

/// The same with arguments that were changed by `edit`.
fn start_live_with(
    bench: &Bench,
    lab: &mut Lab,
    disk: &Path,
    memory_mib: u32,
    edit: impl FnOnce(&str) -> String,
) -> Result<Vm> {
    let script = lab.server()?.script(MAC)?;
    let line = script.lines().find_map(|line| line.strip_prefix("kernel "));
    let line = line.with_context(|| format!("the script boots no kernel:\n{script}"))?;
    let (_, kargs) = line
        .split_once(' ')
        .context("the script's kernel has no arguments")?;
    let kargs = kargs.split(" ||").next().unwrap_or_default();
    let boot = Boot::Kernel {
        kernel: bench.artifacts.kernel(),
        initrd: Some(bench.artifacts.initramfs()),
        kargs: edit(kargs),
    };
    bench
        .machine_booting("live", boot)
        .memory_mib(memory_mib)
        .on_reboot(OnReboot::Exit)
        .drive(Drive::Disk(disk.to_owned()))
        .nic(lab.nic())
        .start()
}

fn by_firmware(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    let machine = bench.machine("machine", Firmware::Ovmf).nic(lab.nic());
    installs_by(bench, &mut lab, machine, &["nbp-served", "script-served"])
}
