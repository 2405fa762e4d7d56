//! The cloud way: the image's own disk, booted by UEFI firmware with Secure Boot on; the config
//! comes from the hypervisor. No network card.

use std::time::Instant;

use anyhow::Result;
use tests::guest::{self, DEMO, PROVISIONED};
use tests::vm::{Boot, Drive, Firmware, Machine, disk};

use crate::Way;
use crate::check;
use crate::inside::{DISK, Outcome, Stage};

/// Where Ignition looks for its config on QEMU.
const CONFIG: &str = "opt/com.coreos/config";

pub(crate) fn run(stage: &Stage) -> Result<Outcome> {
    let say = |what: &str| stage.narrator.say("cloud", what);
    let firmware = Firmware::OvmfSecureBoot;
    let path = stage.scratch.path().join("cloud.raw");
    disk::from_image(&path, &stage.artifacts.cloud_disk(), DISK)?;
    let start = Instant::now();
    let mut vm = Machine::new("cloud", &stage.logs, stage.accel, Boot::Firmware(firmware))
        .drive(Drive::Disk(path.clone()))
        .fw_cfg_file(CONFIG, &stage.config)
        .start()?;
    say("machine on: UEFI with Secure Boot, the image as its disk, config from the hypervisor");
    let [provisioned, demo] =
        vm.wait_for_all([PROVISIONED, DEMO], stage.accel.patience(60), || Ok(()))?;
    check::first_boot(&guest::read(&demo, DEMO)?)?;
    let identity = guest::identity(&provisioned)?;
    check::config_delivered(&identity, &stage.config)?;
    let seconds = start.elapsed().as_secs();
    say("provisioned: user, file and unit are there");
    vm.power_off(stage.accel.patience(15))?;
    drop(vm);
    std::fs::remove_file(&path)?;
    Ok(Outcome {
        way: Way::Cloud,
        firmware,
        identity,
        machine: None,
        seconds,
    })
}
