//! Benchmark: DHCP at a thousand DISCOVERs a second, ours beside dnsmasq, and a boot storm of a
//! thousand simulated machines against ours.
//!
//! Runs in private namespaces, so it needs root. The driver is a relay: its address chooses a
//! subnet that is large enough. Prints a table; judges nothing.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

mod rate;
mod site;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::lan::{Lan, Room, Service, isolate};
use tests::programs::program;

/// Our address, and the server's, in the subnet that is leased.
const DRIVER: &str = "10.64.0.3";
const SERVER: &str = "10.64.0.2";
const BITS: u8 = 16;

const MACHINES: u32 = 1000;
const RATE: u32 = 1000;
const RUNS: usize = 5;

fn main() -> Result<()> {
    if !isolate::is_inside() {
        // Arguments that cargo adds mean nothing here.
        let status = isolate::run_self::<&str>(&[], &[])?;
        ensure!(status.success(), "the benchmark failed ({status})");
        return Ok(());
    }
    isolate::enter()?;
    let scratch = tempfile::tempdir_in("/run").context("making a scratch directory")?;
    let lan = Lan::create()?;
    ip(Command::new("ip"), DRIVER, "lan0")?;
    let room = lan.room("server", tests::lan::PXE_SERVER)?;
    ip(room.command("ip"), SERVER, "eth0")?;
    println!(
        "{MACHINES} machines, {RATE} DISCOVERs a second, known clients; medians of {RUNS} runs"
    );
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>6}",
        "", "median", "99%", "slowest", "lost"
    );
    for (name, mode) in [("ours, full DHCP", "full"), ("ours, proxy", "proxy")] {
        let _server = ours(&room, scratch.path(), mode)?;
        rates(name)?;
    }
    {
        let _server = dnsmasq(&room, scratch.path())?;
        rates("dnsmasq, full DHCP")?;
    }
    for mode in ["full", "proxy"] {
        let _server = ours(&room, &scratch.path().join("storm"), mode)?;
        println!("\nstorm, {mode} DHCP:");
        let storm = Command::new(program("pxe-server")?)
            .args(["storm", SERVER, "--from", DRIVER, "--machines"])
            .arg(MACHINES.to_string())
            .status();
        ensure!(
            storm.context("running the storm")?.success(),
            "machines were lost"
        );
    }
    Ok(())
}

fn ip(mut command: Command, address: &str, device: &str) -> Result<()> {
    let address = format!("{address}/{BITS}");
    command.args(["address", "add", &address, "dev", device]);
    ensure!(
        command.status()?.success(),
        "cannot add {address} to {device}"
    );
    Ok(())
}

fn rates(name: &str) -> Result<()> {
    // The first round makes clients known: no server has to look for a free address after it.
    rate::drive(MACHINES, RATE)?;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(rate::drive(MACHINES, RATE)?);
    }
    let median = |of: fn(&rate::Run) -> Duration| {
        let mut times: Vec<Duration> = runs.iter().map(of).collect();
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        middle.as_secs_f64() * 1000.0
    };
    println!(
        "{name:<28} {:>6.2} ms {:>6.2} ms {:>6.2} ms {:>6}",
        median(|run| run.median),
        median(|run| run.p99),
        median(|run| run.slowest),
        runs.iter().map(|run| run.lost).sum::<u32>()
    );
    Ok(())
}

fn ours(room: &Room, scratch: &std::path::Path, mode: &str) -> Result<Service> {
    let dir = scratch.join(mode);
    let site = site::write(&dir)?;
    let mut command = room.command(program("pxe-server")?);
    command.args(["serve", "--interface", "eth0", "--dhcp", mode, "--site"]);
    command.arg(&site).arg("--state").arg(dir.join("state"));
    let log = dir.join("log");
    let mut server = room.serve("pxe-server", command, &log)?;
    server.wait_ready(Duration::from_secs(60), || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("ready: "))
    })?;
    Ok(server)
}

fn dnsmasq(room: &Room, scratch: &std::path::Path) -> Result<Service> {
    let log = scratch.join("dnsmasq.log");
    let mut command = room.command("dnsmasq");
    command.args([
        "--no-daemon",
        "--conf-file=/dev/null",
        "--user=root",
        "--port=0",
    ]);
    command.args([
        "--interface=eth0",
        "--bind-interfaces",
        "--dhcp-authoritative",
        "--no-ping",
    ]);
    command.args([
        "--dhcp-range=10.64.1.0,10.64.15.255,255.255.0.0,1h",
        "--dhcp-lease-max=4000",
    ]);
    command.args(["--dhcp-boot=undionly.kpxe"]);
    command.arg(format!(
        "--dhcp-leasefile={}",
        scratch.join("leases").display()
    ));
    let mut server = room.serve("dnsmasq", command, &log)?;
    server.wait_ready(Duration::from_secs(30), || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("DHCP"))
    })?;
    Ok(server)
}
