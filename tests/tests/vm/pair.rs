//! Two servers of one site, and a machine whose server is killed in the middle of its boot: it goes on
//! by the other one, and is installed once.

use anyhow::{Result, ensure};
use tests::guest::{DEMO, INSTALL_DONE, PROVISIONED};
use tests::pair::servers;
use tests::site::MAC;
use tests::vm::{Drive, Firmware};

use crate::bench::Bench;
use crate::case::{Case, Tier};
use crate::rack::add;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "machine_goes_on_by_another_server_while_its_kernel_is_loaded",
        tier: Tier::Full,
        run: |bench| goes_on(bench, "loading initramfs"),
    },
    Case {
        name: "machine_goes_on_by_another_server_while_its_root_is_fetched",
        tier: Tier::Full,
        run: |bench| goes_on(bench, "rootfs: 25%"),
    },
];

/// Kills the machine's server when the machine says `moment`.
fn goes_on(bench: &Bench, moment: &str) -> Result<()> {
    let mut pair = bench.pair(|site| add(site, &servers()))?;
    let mut vm = bench
        .machine("machine", Firmware::Ovmf)
        .nic(pair.nic())
        .drive(Drive::Disk(bench.empty_disk()?))
        .start()?;
    bench.say("machine on, network first");
    vm.wait_for(moment, bench.patience(100))?;
    pair.kill_the_one_that_served()?;
    bench.say("its server is killed");
    vm.wait_for(INSTALL_DONE, bench.patience(150))?;
    bench.say("installed");
    vm.wait_for_all([PROVISIONED, DEMO], bench.patience(150), || Ok(()))?;
    let server = pair.server()?;
    let machine = server.wait_state(MAC, "provisioned", bench.patience(20))?;
    for once in ["ticket-issued", "install-started", "installed"] {
        let times = machine.timeline.iter();
        let times = times.filter(|event| event.event == once).count();
        ensure!(times == 1, "`{once}` {times} times, not once");
    }
    Ok(())
}
