//! The harness itself: the LAN carries a real firmware's DHCP.

use std::time::Duration;

use anyhow::Result;
use tests::lan::{Dnsmasq, Lan};
use tests::vm::{Accel, Boot, Firmware, Machine, Nic};

use crate::case::{Bench, Case, Tier};

pub(crate) const CASES: &[Case] = &[Case {
    name: "firmware_is_heard_on_the_lan",
    tier: Tier::Small,
    run: firmware_is_heard_on_the_lan,
}];

fn firmware_is_heard_on_the_lan(bench: &Bench) -> Result<()> {
    let lan = Lan::create()?;
    let log = bench.logs.join("dnsmasq.log");
    let _dnsmasq = Dnsmasq::start(&lan, &log)?;
    let mut vm = Machine::new(
        "vm",
        &bench.logs,
        Accel::Tcg,
        Boot::Firmware(Firmware::Ovmf),
    )
    .nic(Nic::Tap {
        device: lan.tap("tap0")?,
        mac: "52:54:00:12:34:56".into(),
    })
    .start()?;
    bench.say("on");
    vm.wait_for("Start PXE over IPv4", Duration::from_secs(120))?;
    bench.say("pxe");
    vm.wait_for("xxxStart PXE over IPv4", Duration::from_secs(60))?;
    Ok(())
}
