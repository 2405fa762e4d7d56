//! The ISO way: the live ISO, customized with target and config, installs an empty disk without
//! any network card and reboots into it. BIOS firmware, disk before CD-ROM.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use tests::artifacts;
use tests::guest::{self, DEMO, INSTALL_DONE, PROVISIONED};
use tests::programs::program;
use tests::vm::{Boot, Drive, Firmware, Machine, disk};

use crate::Way;
use crate::check;
use crate::inside::{DISK, Outcome, Stage};

pub(crate) fn run(stage: &Stage) -> Result<Outcome> {
    let say = |what: &str| stage.narrator.say("iso", what);
    let firmware = Firmware::SeaBios;
    let (iso, path) = (
        stage.scratch.path().join("demo.iso"),
        stage.scratch.path().join("iso.raw"),
    );
    customize(stage, &iso)?;
    say("live ISO customized with --dest-device and --dest-ignition");
    disk::empty(&path, DISK)?;
    let start = Instant::now();
    let mut vm = Machine::new("iso", &stage.logs, stage.accel, Boot::Firmware(firmware))
        .drive(Drive::Disk(path.clone()))
        .drive(Drive::CdRom(iso.clone()))
        .start()?;
    say("machine on: BIOS, empty disk, the ISO in its drive, no network card");
    vm.wait_for(INSTALL_DONE, stage.accel.patience(60))?;
    say("installed from the ISO, rebooting into the disk");
    let [provisioned, demo] =
        vm.wait_for_all([PROVISIONED, DEMO], stage.accel.patience(60), || Ok(()))?;
    check::first_boot(&guest::read(&demo, DEMO)?)?;
    let identity = guest::identity(&provisioned)?;
    check::config_delivered(&identity, &stage.config)?;
    let seconds = start.elapsed().as_secs();
    say("provisioned: user, file and unit are there");
    vm.power_off(stage.accel.patience(15))?;
    drop(vm);
    for file in [iso, path] {
        std::fs::remove_file(file)?;
    }
    Ok(Outcome {
        way: Way::Iso,
        firmware,
        identity,
        machine: None,
        seconds,
    })
}

fn customize(stage: &Stage, output: &std::path::Path) -> Result<()> {
    let mut command = Command::new(program("coreos-installer")?);
    command
        .args([
            "iso",
            "customize",
            "--dest-device",
            "/dev/vda",
            "--dest-ignition",
        ])
        .arg(&stage.config);
    for argument in [
        "loglevel=4",
        "systemd.show_status=0",
        "audit=0",
        "mitigations=off",
    ] {
        command.args(["--live-karg-append", argument]);
    }
    command
        .arg("--output")
        .arg(output)
        .arg(stage.artifacts.iso()?);
    artifacts::run(
        command,
        "coreos-installer iso customize",
        &stage.logs.join("iso-customize.log"),
    )
}
