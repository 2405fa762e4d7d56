//! Machines that need no network: live ISO on CD-ROM and stick under each firmware, and the
//! image's own disk.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use embed::digest::Sha256Digest;
use embed::gpt::{SectorSize, Table};
use tests::artifacts::{self, Artifacts, Flavour};
use tests::guest::{self, DEMO, DemoMachine, INSTALL_DONE, PROVISIONED};
use tests::programs::program;
use tests::site;
use tests::vm::{Boot, Drive, Firmware, Machine, OnReboot, Vm, disk};

use crate::bench::Bench;
use crate::case::{self, Case, Tier};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "iso_on_cd_installs_under_bios",
        tier: Tier::Full,
        run: |bench| own_iso(bench, Firmware::SeaBios, Drive::CdRom),
    },
    Case {
        name: "iso_on_cd_installs_under_uefi",
        tier: Tier::Full,
        run: |bench| own_iso(bench, Firmware::Ovmf, Drive::CdRom),
    },
    Case {
        name: "iso_on_cd_installs_under_secure_boot",
        tier: Tier::Full,
        run: |bench| own_iso(bench, Firmware::OvmfSecureBoot, Drive::CdRom),
    },
    Case {
        name: "iso_on_stick_installs_under_bios",
        tier: Tier::Full,
        run: stick_under_bios,
    },
    Case {
        name: "iso_on_stick_installs_under_uefi",
        tier: Tier::Full,
        run: |bench| own_iso(bench, Firmware::Ovmf, Drive::UsbStick),
    },
    Case {
        name: "iso_for_sectors_of_4096_bytes_installs_to_such_a_disk",
        tier: Tier::Full,
        run: sectors_of_4096_bytes,
    },
    Case {
        name: "rootfs_as_second_initrd_installs",
        tier: Tier::Full,
        run: second_initrd,
    },
    Case {
        name: "image_without_live_module_boots_live_and_installs",
        tier: Tier::Full,
        run: without_live_module,
    },
    Case {
        name: "cloud_disk_provisions_under_bios",
        tier: Tier::Full,
        run: |bench| cloud(bench, Firmware::SeaBios),
    },
    Case {
        name: "cloud_disk_provisions_under_secure_boot",
        tier: Tier::Full,
        run: |bench| cloud(bench, Firmware::OvmfSecureBoot),
    },
];

fn own_iso(bench: &Bench, firmware: Firmware, drive: fn(PathBuf) -> Drive) -> Result<()> {
    let iso = customized(bench, &bench.artifacts)?;
    let machine = bench
        .machine("machine", firmware)
        .drive(Drive::Disk(bench.empty_disk()?))
        .drive(drive(iso));
    install_and_boot(bench, machine)
}

/// This BIOS tries the first hard disk only, and a stick is one: it is put first, as in a machine's
/// boot menu, and taken out after the install.
fn stick_under_bios(bench: &Bench) -> Result<()> {
    let disk = bench.empty_disk()?;
    let mut vm = bench
        .machine("machine", Firmware::SeaBios)
        .on_reboot(OnReboot::Exit)
        .drive(Drive::UsbStick(customized(bench, &bench.artifacts)?))
        .drive(Drive::Disk(disk.clone()))
        .start()?;
    bench.say("booting the stick");
    vm.wait_for(INSTALL_DONE, bench.patience(60))?;
    bench.say("installed");
    vm.wait_off(bench.patience(10))?;
    let machine = bench.machine("installed", Firmware::SeaBios);
    expect_first_boot(bench, &mut machine.drive(Drive::Disk(disk)).start()?)
}

/// No BIOS starts such disks.
fn sectors_of_4096_bytes(bench: &Bench) -> Result<()> {
    let artifacts = Artifacts::open(&case::artifacts_of(Flavour::Sectors4096))?;
    let machine = bench
        .machine("machine", Firmware::Ovmf)
        .drive(Drive::Disk4096(bench.empty_disk()?))
        .drive(Drive::CdRom(customized(bench, &artifacts)?));
    install_and_boot(bench, machine)
}

/// A copy of the ISO of `artifacts` that installs by itself, with the demo's config.
fn customized(bench: &Bench, artifacts: &Artifacts) -> Result<PathBuf> {
    let iso = bench.path("demo.iso");
    let mut command = Command::new(program("coreos-installer")?);
    command
        .args([
            "iso",
            "customize",
            "--dest-device",
            "/dev/vda",
            "--dest-ignition",
        ])
        .arg(site::config())
        .arg("--output")
        .arg(&iso)
        .arg(artifacts.iso()?);
    artifacts::run(
        command,
        "coreos-installer iso customize",
        &bench.logs.join("iso-customize.log"),
    )?;
    Ok(iso)
}

fn install_and_boot(bench: &Bench, machine: Machine) -> Result<()> {
    let mut vm = machine.start()?;
    bench.say("booting the ISO");
    vm.wait_for(INSTALL_DONE, bench.patience(60))?;
    bench.say("installed");
    expect_first_boot(bench, &mut vm)
}

/// Firmware and boot loaders hand several initrds over as one.
fn second_initrd(bench: &Bench) -> Result<()> {
    let manifest = bench.artifacts.manifest();
    let initrd = bench.path("initrd");
    let mut both = File::create(&initrd)?;
    for part in [&manifest.initramfs, &manifest.rootfs] {
        io::copy(
            &mut File::open(bench.artifacts.media().join(&part.file))?,
            &mut both,
        )?;
    }
    let boot = Boot::Kernel {
        kernel: bench.artifacts.kernel(),
        initrd: Some(initrd),
        kargs: format!(
            "{} coreos.inst.install_dev=/dev/vda",
            manifest.kargs.join(" ")
        ),
    };
    let mut vm = bench
        .machine_booting("machine", boot)
        .memory_mib(3072)
        .on_reboot(OnReboot::Exit)
        .drive(Drive::Disk(bench.empty_disk()?))
        .start()?;
    bench.say("booting kernel and initrds");
    vm.wait_for(INSTALL_DONE, bench.patience(60))?;
    vm.wait_off(bench.patience(10))
}

/// The medium is of an OS that knows nothing of the toolkit: live program, units and kernel modules
/// were appended, and what is installed is the image as it was.
fn without_live_module(bench: &Bench) -> Result<()> {
    let foreign = Artifacts::open(&case::artifacts_of(Flavour::Foreign))?;
    let disk = bench.empty_disk()?;
    let mut vm = bench
        .machine("machine", Firmware::SeaBios)
        .on_reboot(OnReboot::Exit)
        .drive(Drive::Disk(disk.clone()))
        .drive(Drive::CdRom(customized(bench, &foreign)?))
        .start()?;
    bench.say("booting the ISO");
    vm.wait_for(INSTALL_DONE, bench.patience(90))?;
    vm.wait_off(bench.patience(20))?;
    bench.say("comparing what was installed");
    same_root(&disk, &foreign.cloud_disk())
}

/// Whether the root of `disk` is that of `image`, byte for byte.
pub(crate) fn same_root(disk: &Path, image: &Path) -> Result<()> {
    let (installed, published) = (root_of(disk)?, root_of(image)?);
    ensure!(
        Sha256Digest::of_reader(installed)? == Sha256Digest::of_reader(published)?,
        "the root that was installed is not the image's"
    );
    Ok(())
}

/// The root partition of a disk or image.
fn root_of(path: &Path) -> Result<io::Take<File>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let read_at = |offset: u64, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
    let table = Table::read(read_at, SectorSize::B512, size)?;
    let root = table
        .partitions()
        .find(|partition| partition.name == "root")
        .context("no partition is named root")?;
    file.seek(SeekFrom::Start(root.start))?;
    Ok(file.take(root.length))
}

fn cloud(bench: &Bench, firmware: Firmware) -> Result<()> {
    let path = bench.path("disk.raw");
    disk::from_image(&path, &bench.artifacts.cloud_disk(), 4 << 30)?;
    let mut vm = bench
        .machine("machine", firmware)
        .drive(Drive::Disk(path))
        .fw_cfg_file("opt/com.coreos/config", &site::config())
        .start()?;
    bench.say("booting the disk");
    expect_first_boot(bench, &mut vm)
}

fn expect_first_boot(bench: &Bench, vm: &mut Vm) -> Result<()> {
    let [provisioned, demo] =
        vm.wait_for_all([PROVISIONED, DEMO], bench.patience(60), || Ok(()))?;
    guest::identity(&provisioned)?;
    let found: DemoMachine = guest::read(&demo, DEMO)?;
    ensure!(
        found.boot == 1 && found.unit == "enabled",
        "the config was not applied: {found:?}"
    );
    Ok(())
}
