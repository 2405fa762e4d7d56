//! The network way: a LAN with its ordinary DHCP server, our server beside it, and an empty
//! machine whose firmware boots over the network first, always. It is installed once, boots its
//! disk from then on, and is power-cycled to show that.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::guest::{self, DEMO, PROVISIONED};
use tests::lab::{Lab, Network};
use tests::site::{self, MAC};
use tests::vm::{Boot, Drive, Firmware, Machine, Vm, disk};

use crate::Way;
use crate::check;
use crate::inside::{DISK, Outcome, Stage};
use crate::tables::tell;

const FIRMWARE: Firmware = Firmware::Ovmf;

pub(crate) fn run(stage: &Stage) -> Result<Outcome> {
    let say = |what: &str| stage.narrator.say("pxe", what);
    let mut site = Site::open(stage)?;
    say("LAN up: dnsmasq hands out addresses, pxe-server adds what to boot");

    let start = Instant::now();
    let mut vm = site.switch_on()?;
    say("machine on: UEFI, empty disk, network first");
    let [provisioned, demo] =
        vm.wait_for_all([PROVISIONED, DEMO], stage.accel.patience(120), || {
            site.look()
        })?;
    let seconds = start.elapsed().as_secs();
    check::first_boot(&guest::read(&demo, DEMO)?)?;
    let identity = guest::identity(&provisioned)?;
    check::config_delivered(&identity, &stage.config)?;
    let machine = site
        .lab
        .server()?
        .wait_state(MAC, "provisioned", stage.accel.patience(10))?;
    ensure!(
        machine.identity.as_ref() == Some(&identity),
        "the server was told another identity than the machine printed: {:?}",
        machine.identity
    );
    say("provisioned: user, file and unit are there; the server knows");
    vm.power_off(stage.accel.patience(15))?;
    drop(vm);

    let mut vm = site.switch_on()?;
    say("machine on again, network first");
    let [demo] = vm.wait_for_all([DEMO], stage.accel.patience(60), || site.look())?;
    check::second_boot(&guest::read(&demo, DEMO)?)?;
    vm.power_off(stage.accel.patience(15))?;
    ensure!(
        !vm.saw(PROVISIONED),
        "the second boot says that it provisioned"
    );
    drop(vm);
    say("second boot from disk: Ignition did not run");
    let machine = site
        .lab
        .server()?
        .wait_state(MAC, "provisioned", Duration::from_secs(5))?;
    let installs = machine
        .timeline
        .iter()
        .filter(|event| event.event == "install-started")
        .count();
    ensure!(installs == 1, "the machine was installed {installs} times");
    std::fs::remove_file(&site.disk)?;
    Ok(Outcome {
        way: Way::Pxe,
        firmware: FIRMWARE,
        identity,
        machine: Some(machine),
        seconds,
    })
}

/// The LAN with its servers, and the machine's disk.
struct Site<'a> {
    stage: &'a Stage,
    lab: Lab,
    disk: PathBuf,
    /// Number of the last event that was told.
    told: u64,
    looked: Option<Instant>,
}

impl<'a> Site<'a> {
    fn open(stage: &'a Stage) -> Result<Self> {
        let room = stage.scratch.path().join("server");
        std::fs::create_dir_all(&room)?;
        let site = site::prepare(&room, stage.artifacts.media())?;
        let lab = Lab::open(Network::Beside, &site, &room.join("state"), &stage.logs)?;
        let disk = stage.scratch.path().join("pxe.raw");
        disk::empty(&disk, DISK)?;
        Ok(Self {
            stage,
            lab,
            disk,
            told: 0,
            looked: None,
        })
    }

    fn switch_on(&self) -> Result<Vm> {
        Machine::new(
            "pxe",
            &self.stage.logs,
            self.stage.accel,
            Boot::Firmware(FIRMWARE),
        )
        .nic(self.lab.nic())
        .drive(Drive::Disk(self.disk.clone()))
        // The firmware would wait for IPv6 routers that this LAN does not have.
        .fw_cfg_string("opt/org.tianocore/IPv6PXESupport", "n")
        .start()
    }

    /// Tells the machine's new events as the server learns of them, once a second.
    fn look(&mut self) -> Result<()> {
        if self
            .looked
            .is_some_and(|looked| looked.elapsed() < Duration::from_secs(1))
        {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let Some(machine) = self.lab.server()?.machine(MAC)? else {
            return Ok(());
        };
        for event in machine
            .timeline
            .iter()
            .filter(|event| event.seq > self.told)
        {
            if let Some(text) = tell(event) {
                self.stage.narrator.say("pxe", text);
            }
        }
        self.told = machine
            .timeline
            .iter()
            .map(|event| event.seq)
            .max()
            .unwrap_or(self.told);
        Ok(())
    }
}
