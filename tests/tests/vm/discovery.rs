//! A machine that no group matches: it reports what it consists of, installs nothing, and starts
//! again once an operator has claimed it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::programs::program;
use tests::site::MAC;

use crate::bench::Bench;
use crate::case::{Case, Tier};
use crate::network::start_live;

pub(crate) const CASES: &[Case] = &[Case {
    name: "unknown_machine_reports_its_hardware_and_reboots_when_it_is_claimed",
    tier: Tier::Full,
    run: discovered,
}];

const WAITS: &str = "coreos-metal: discovery:     pxe-server claim ";
const REBOOTS: &str = "coreos-metal: discovery: there is something for this machine; rebooting";

fn discovered(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), discover)?;
    let disk = bench.empty_disk()?;
    let mut vm = start_live(bench, &mut lab, &disk, 1536)?;
    bench.say("live system starting");
    let line = vm.wait_for(WAITS, bench.patience(60))?;
    ensure!(line.contains(MAC), "it calls itself `{line}`");
    let machine = lab.server()?.machine(MAC)?.context("it was never seen")?;
    ensure!(machine.state == "discovered", "it is {}", machine.state);
    let hardware = &machine.hardware;
    let nic = &hardware["nics"][0];
    ensure!(
        nic["mac"] == MAC && nic["driver"] == "virtio_net" && nic["link"] == true,
        "its network card is {nic}"
    );
    let disk_told = &hardware["disks"][0];
    ensure!(
        disk_told["name"] == "vda" && disk_told["size"] == 4_u64 << 30,
        "its disk is {disk_told}"
    );
    ensure!(
        hardware["firmware"]["kind"] == "bios" && hardware["system"]["manufacturer"] == "QEMU",
        "it is {hardware}"
    );
    ensure!(
        hardware["memory"]
            .as_u64()
            .is_some_and(|memory| memory > 1 << 30)
            && hardware["processor"]["count"]
                .as_u64()
                .is_some_and(|count| count > 0),
        "it is {hardware}"
    );
    bench.say("reported");
    let server = bench.path("server");
    claim(&server)?;
    vm.wait_for(REBOOTS, bench.patience(30))?;
    vm.wait_off(bench.patience(20))?;
    let written = std::fs::metadata(&disk)?.blocks();
    ensure!(written == 0, "{written} blocks of its disk were written");
    let script = lab.server()?.script(MAC)?;
    ensure!(script.contains("INSTALLING"), "then it boots:\n{script}");
    Ok(())
}

/// Takes the demo's group away, and keeps its kernel arguments for the discovery.
fn discover(site: &Path) -> Result<()> {
    std::fs::remove_file(site.join("groups/demo.yaml"))?;
    let text = std::fs::read_to_string(site.join("site.yaml"))?;
    let kargs =
        "[\"console=ttyS0,115200n8\", loglevel=4, systemd.show_status=0, audit=0, mitigations=off]";
    let more = format!("unknown-machines: discover\ndiscovery: {{kargs: {kargs}}}\n");
    Ok(std::fs::write(site.join("site.yaml"), text + &more)?)
}

fn claim(server: &Path) -> Result<()> {
    let mut command = Command::new(program("pxe-server")?);
    command.args(["claim", MAC, "--profile", "demo", "--site"]);
    command.arg(server.join("site"));
    command.arg("--state").arg(server.join("state"));
    let output = command.output().context("claiming the machine")?;
    ensure!(
        output.status.success(),
        "the claim was refused: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
