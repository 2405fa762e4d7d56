//! Ways from firmware to the live system and back to the disk: every firmware that machines of a
//! rack have, on every kind of network that the server serves.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tests::guest::{self, DEMO, DemoMachine, INSTALL_DONE, PROVISIONED};
use tests::lab::{Lab, Network};
use tests::lan::relay;
use tests::site::MAC;
use tests::vm::{Drive, Firmware, Machine};

use crate::bench::Bench;
use crate::case::{Case, Tier};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "bios_boots_the_live_system_by_the_cards_ipxe",
        tier: Tier::Full,
        run: bios,
    },
    Case {
        name: "uefi_boots_the_live_system_by_http",
        tier: Tier::Full,
        run: http_boot,
    },
    Case {
        name: "uefi_boots_the_live_system_with_an_address_leased_here",
        tier: Tier::Full,
        run: full_dhcp,
    },
    Case {
        name: "uefi_boots_the_live_system_behind_a_relay",
        tier: Tier::Full,
        run: relayed,
    },
    Case {
        name: "machine_that_tries_the_network_first_is_installed_once",
        tier: Tier::Full,
        run: |bench| installed_once(bench, Firmware::Ovmf, Network::Beside, |_| Ok(())),
    },
    Case {
        name: "machine_with_secure_boot_is_installed_once_by_shim_and_grub",
        tier: Tier::Full,
        run: secure_boot,
    },
    Case {
        name: "secure_boot_works_beside_a_dhcp_server_that_names_ours",
        tier: Tier::Full,
        run: secure_boot_beside,
    },
];

/// The server leases the addresses of the LAN.
const LEASES: &str = "dhcp:\n  mode: full\n  subnets:\n    - network: 192.0.2.0/24\n      pools: [192.0.2.100-192.0.2.199]\n";

fn bios(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    let machine = bench.machine("machine", Firmware::SeaBios);
    let machine = machine.nic(lab.nic_with_rom());
    installs_by(bench, &mut lab, machine, &["script-served"])
}

fn http_boot(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    let machine = bench
        .machine("machine", Firmware::Ovmf)
        .fw_cfg_string("opt/org.tianocore/IPv4PXESupport", "n")
        .nic(lab.nic());
    installs_by(bench, &mut lab, machine, &["nbp-served", "script-served"])?;
    let machine = lab.server()?.machine(MAC)?.context("no machine")?;
    let served = machine
        .timeline
        .iter()
        .find(|event| event.event == "nbp-served");
    let via = served.context("no boot program was served")?.field("via");
    ensure!(
        via == "http",
        "the boot program was served by {via}, not HTTP"
    );
    Ok(())
}

fn full_dhcp(bench: &Bench) -> Result<()> {
    let media = bench.artifacts.media();
    let mut lab = bench.lab_on(Network::Alone, media, |site| add(site, LEASES))?;
    let machine = bench.machine("machine", Firmware::Ovmf).nic(lab.nic());
    installs_by(bench, &mut lab, machine, &["nbp-served", "script-served"])
}

fn relayed(bench: &Bench) -> Result<()> {
    let media = bench.artifacts.media();
    // The relay's address says where the machine is.
    let group = |site: &Path| -> Result<()> {
        let selector = format!("profile: demo\nselector: {{subnet: {}}}\n", relay::NETWORK);
        Ok(std::fs::write(site.join("groups/demo.yaml"), selector)?)
    };
    let mut lab = bench.lab_on(Network::Relayed, media, group)?;
    let machine = bench.machine("machine", Firmware::Ovmf).nic(lab.nic());
    installs_by(bench, &mut lab, machine, &["nbp-served", "script-served"])
}

/// Starts the machine, and waits until its live system installs, after these events on its way.
pub(crate) fn installs_by(
    bench: &Bench,
    lab: &mut Lab,
    machine: Machine,
    way: &[&str],
) -> Result<()> {
    let _vm = machine.drive(Drive::Disk(bench.empty_disk()?)).start()?;
    bench.say("machine on, network first");
    let machine = lab
        .server()?
        .wait_state(MAC, "installing", bench.patience(100))?;
    let events: Vec<&str> = machine
        .timeline
        .iter()
        .map(|event| event.event.as_str())
        .collect();
    let mut rest = events.iter();
    let end = ["rootfs-served", "live", "install-started"];
    for wanted in [&["dhcp-discover"], way, &end].concat() {
        ensure!(
            rest.any(|event| *event == wanted),
            "no `{wanted}` in its place among {events:?}"
        );
    }
    Ok(())
}

/// Three boots, each from the network first: the first installs, the others boot what is installed.
fn installed_once(
    bench: &Bench,
    firmware: Firmware,
    network: Network,
    edit: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut lab = bench.lab_on(network, bench.artifacts.media(), edit)?;
    let disk = bench.empty_disk()?;
    let start = |lab: &Lab, name: &str| {
        let machine = bench.machine(name, firmware).nic(lab.nic());
        machine.drive(Drive::Disk(disk.clone())).start()
    };
    let mut vm = start(&lab, "machine")?;
    bench.say("machine on, network first");
    vm.wait_for(INSTALL_DONE, bench.patience(150))?;
    bench.say("installed; it boots from the network again");
    for boot in 1..=3 {
        let patience = bench.patience(150);
        let said = match boot {
            1 => {
                let [_, said] = vm.wait_for_all([PROVISIONED, DEMO], patience, || Ok(()))?;
                said
            }
            _ => vm.wait_for(DEMO, patience)?,
        };
        let found: DemoMachine = guest::read(&said, DEMO)?;
        ensure!(
            found.boot == boot && found.unit == "enabled",
            "boot {boot} of the installed system says {found:?}"
        );
        bench.say(&format!("boot {boot} of the installed system"));
        let state = lab
            .server()?
            .wait_state(MAC, "provisioned", bench.patience(20))?;
        let installs = state.timeline.iter();
        let installs = installs.filter(|event| event.event == "install-started");
        ensure!(installs.count() == 1, "it was installed again");
        vm.power_off(bench.patience(60))?;
        if boot < 3 {
            vm = start(&lab, &format!("machine-{}", boot + 1))?;
        }
    }
    Ok(())
}

/// Debian's GRUB looks for its config on the server that the lease names, whoever told of shim.
fn secure_boot(bench: &Bench) -> Result<()> {
    installed_once(bench, Firmware::OvmfSecureBoot, Network::Alone, |site| {
        by_shim_and_grub(site)?;
        add(site, LEASES)
    })
}

fn secure_boot_beside(bench: &Bench) -> Result<()> {
    let media = bench.artifacts.media();
    let mut lab = bench.lab_on(Network::BesideNamed, media, by_shim_and_grub)?;
    let machine = bench.machine("machine", Firmware::OvmfSecureBoot);
    let machine = machine.nic(lab.nic());
    installs_by(bench, &mut lab, machine, &["nbp-served", "script-served"])
}

/// Makes the site hand out Debian's shim and GRUB.
fn by_shim_and_grub(site: &Path) -> Result<()> {
    let programs = site.join("grub");
    std::fs::create_dir(&programs)?;
    let packaged = [
        ("/usr/lib/shim/shimx64.efi.signed", "shimx64.efi"),
        (
            "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
            "grubx64.efi",
        ),
    ];
    for (from, name) in packaged {
        std::fs::copy(from, programs.join(name)).with_context(|| {
            format!("copying {from} (packages shim-signed, grub-efi-amd64-signed)")
        })?;
    }
    add(site, "grub: {dir: grub, uefi-x64: shimx64.efi}\n")
}

/// Adds lines to the site's file.
pub(crate) fn add(site: &Path, lines: &str) -> Result<()> {
    let path: PathBuf = site.join("site.yaml");
    let mut file = OpenOptions::new().append(true).open(&path)?;
    file.write_all(lines.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
