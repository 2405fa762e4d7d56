//! Live media of an OSTree system: its deployment is the live root, Ignition's config is applied to
//! it, and what is installed from there is the image.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use embed::iso::IsoReader;
use serde_json::{Value, json};
use tests::artifacts::{self, Artifacts, Flavour};
use tests::guest::{self, DEMO, DemoMachine, INSTALL_DONE, PROVISIONED};
use tests::programs::program;
use tests::site;
use tests::vm::{Boot, Drive, Firmware, OnReboot};

use crate::bench::Bench;
use crate::case::{self, Case, Tier};
use crate::media::same_root;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "ostree_image_boots_live_installs_and_provisions",
        tier: Tier::Full,
        run: with_live_module,
    },
    Case {
        name: "ostree_image_without_live_module_boots_live_and_installs",
        tier: Tier::Full,
        run: without_live_module,
    },
];

/// Begins the line that says which directory of which file system is the root.
const ROOT: &str = "ostree-root: ";
const DEPLOYMENTS: &str = "/ostree/deploy/reference-os/deploy/";

fn with_live_module(bench: &Bench) -> Result<()> {
    let disk = install(bench, Flavour::OsTree)?;
    let mut vm = bench
        .machine("installed", Firmware::SeaBios)
        .drive(Drive::Disk(disk))
        .start()?;
    bench.say("booting the disk");
    let [root, provisioned, demo] =
        vm.wait_for_all([ROOT, PROVISIONED, DEMO], bench.patience(60), || Ok(()))?;
    ensure!(
        root.contains(DEPLOYMENTS),
        "the root is no deployment: {root}"
    );
    guest::identity(&provisioned)?;
    let found: DemoMachine = guest::read(&demo, DEMO)?;
    ensure!(
        found.boot == 1 && found.firstboot && found.unit == "enabled",
        "the config was not applied: {found:?}"
    );
    Ok(())
}

fn without_live_module(bench: &Bench) -> Result<()> {
    let disk = install(bench, Flavour::ForeignOsTree)?;
    let image = Artifacts::open(&case::artifacts_of(Flavour::ForeignOsTree))?;
    bench.say("comparing what was installed");
    same_root(&disk, &image.cloud_disk())
}

/// Boots the live system with the demo's config, which is also that of the machine that it installs;
/// returns the disk.
fn install(bench: &Bench, flavour: Flavour) -> Result<PathBuf> {
    let os = Artifacts::open(&case::artifacts_of(flavour))?;
    let iso = os.iso()?;
    let label = IsoReader::open(File::open(&iso)?)?.volume_id().to_owned();
    let boot = Boot::Kernel {
        kernel: os.kernel(),
        initrd: Some(customised(bench, &os)?),
        kargs: format!(
            "{} coreos.liveiso={label} coreos.inst.skip_reboot",
            os.manifest().kargs.join(" ")
        ),
    };
    let disk = bench.empty_disk()?;
    let mut vm = bench
        .machine_booting("live", boot)
        .on_reboot(OnReboot::Exit)
        .drive(Drive::Disk(disk.clone()))
        .drive(Drive::CdRom(iso))
        .start()?;
    bench.say("booting kernel and initramfs, with the ISO as CD");
    let [root, demo, _] =
        vm.wait_for_all([ROOT, DEMO, INSTALL_DONE], bench.patience(90), || Ok(()))?;
    ensure!(
        root.contains(DEPLOYMENTS),
        "the live root is no deployment: {root}"
    );
    let found: DemoMachine = guest::read(&demo, DEMO)?;
    ensure!(
        found.user.starts_with("demo:")
            && found.file.starts_with("640 root:demo ")
            && found.unit == "enabled",
        "the config was not applied to the live system: {found:?}"
    );
    bench.say("live, and installed");
    Ok(disk)
}

/// The live initramfs with the config for both systems, and what to install to.
fn customised(bench: &Bench, os: &Artifacts) -> Result<PathBuf> {
    let config = bench.path("machine.ign");
    fs::write(&config, config_that_names_the_root()?.to_string())?;
    let initrd = bench.path("initrd");
    let mut command = Command::new(program("coreos-installer")?);
    command.args(["pxe", "customize", "--dest-device", "/dev/vda"]);
    for option in ["--dest-ignition", "--live-ignition"] {
        command.arg(option).arg(&config);
    }
    command.arg("--output").arg(&initrd).arg(os.initramfs());
    let log = bench.logs.join("pxe-customize.log");
    artifacts::run(command, "coreos-installer pxe customize", &log)?;
    Ok(initrd)
}

/// The demo's config with a unit that prints [`ROOT`].
fn config_that_names_the_root() -> Result<Value> {
    let mut config: Value = serde_json::from_slice(&fs::read(site::config())?)?;
    let units = config
        .pointer_mut("/systemd/units")
        .and_then(Value::as_array_mut);
    units
        .context("the demo's config has no units")?
        .push(json!({
            "name": "name-root.service",
            "enabled": true,
            "contents": format!(
                "[Unit]\nBefore=getty.target serial-getty@ttyS0.service demo-machine.service\n\
                 ConditionPathExists=/run/ostree-booted\n\
                 [Service]\nType=oneshot\nStandardOutput=journal+console\n\
                 ExecStart=/bin/sh -c 'echo \"{ROOT}$(findmnt --noheadings --output FSROOT /)\"'\n\
                 [Install]\nWantedBy=multi-user.target\n"
            ),
        }));
    Ok(config)
}
