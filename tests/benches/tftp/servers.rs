//! The servers, each in a room of its own: ours, and those that are there of Debian's `tftpd-hpa` and
//! `atftpd`, unpacked by `make setup`, and the `tftpd` crate's, which `tests/bench.sh` builds.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};
use tests::lan::{Lan, Room, Service};
use tests::programs::{program, repository};
use tests::site;

/// Files that every server has, by size.
pub(crate) const FILES: [(&str, usize); 3] =
    [("large", 64 << 20), ("medium", 4 << 20), ("small", 1 << 20)];

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    service: Service,
}

/// What a server is, before it runs.
pub(crate) struct Contestant {
    name: &'static str,
    address: String,
    room: Room,
    make: fn(&Self, &Path) -> Result<Command>,
}

/// Where `make setup` unpacks what Debian has.
fn debian(path: &str) -> PathBuf {
    repository().join("target/debian").join(path)
}

/// The `tftpd` crate's program, where `tests/bench.sh` builds it.
fn crate_program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| repository().join("target"));
    target.join("bench-peer/bin/tftpd")
}

/// Everybody who is there; who is not is told.
pub(crate) fn contestants(lan: &Lan) -> Result<(Vec<Contestant>, Vec<&'static str>)> {
    type Make = fn(&Contestant, &Path) -> Result<Command>;
    let all: [(&'static str, PathBuf, Make); 4] = [
        ("ours", program("pxe-server")?, ours),
        ("tftpd-hpa", debian("usr/sbin/in.tftpd"), hpa),
        ("atftpd", debian("usr/sbin/atftpd"), atftpd),
        ("crate", crate_program(), tftpd_crate),
    ];
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for ((name, path, make), host) in all.into_iter().zip(10u8..) {
        if !path.exists() {
            missing.push(name);
            continue;
        }
        let address = format!("192.0.2.{host}");
        let room = lan.room(name, &address)?;
        there.push(Contestant {
            name,
            address,
            room,
            make,
        });
    }
    Ok((there, missing))
}

fn ours(one: &Contestant, scratch: &Path) -> Result<Command> {
    let dir = scratch.join("ours");
    if !dir.exists() {
        site::sample_media(&dir.join("media"))?;
        fs::create_dir_all(dir.join("site"))?;
        let [large, medium, small] = FILES.map(|(name, _)| name);
        let programs = format!("bios: {large}, uefi-x64: {medium}, uefi-arm64: {small}");
        let files = scratch.join("files");
        let text = format!(
            "media: ../media\nipxe: {{dir: {}, {programs}}}\n",
            files.display()
        );
        fs::write(dir.join("site/site.yaml"), text)?;
    }
    let mut command = one.room.command(program("pxe-server")?);
    command.args(["serve", "--dhcp", "off", "--interface", "eth0", "--site"]);
    command
        .arg(dir.join("site"))
        .arg("--state")
        .arg(dir.join("state"));
    Ok(command)
}

fn hpa(one: &Contestant, scratch: &Path) -> Result<Command> {
    let mut command = one.room.command(debian("usr/sbin/in.tftpd"));
    libraries(&mut command);
    command.args([
        "-L",
        "-u",
        "root",
        "-a",
        &format!("{}:69", one.address),
        "-s",
    ]);
    command.arg(scratch.join("files"));
    Ok(command)
}

fn atftpd(one: &Contestant, scratch: &Path) -> Result<Command> {
    let mut command = one.room.command(debian("usr/sbin/atftpd"));
    libraries(&mut command);
    command.args([
        "--daemon",
        "--no-fork",
        "--user",
        "root.root",
        "--port",
        "69",
    ]);
    command.args(["--maxthread", "2000", "--verbose=0", "--logfile", "-"]);
    command.args(["--bind-address", &one.address]);
    command.arg(scratch.join("files"));
    Ok(command)
}

fn tftpd_crate(one: &Contestant, scratch: &Path) -> Result<Command> {
    let mut command = one.room.command(crate_program());
    command.args(["-i", &one.address, "-p", "69", "-r", "-q", "-d"]);
    command.arg(scratch.join("files"));
    Ok(command)
}

/// Those of the unpacked packages.
fn libraries(command: &mut Command) {
    let dirs = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"].map(debian);
    if let Ok(path) = std::env::join_paths(dirs) {
        command.env("LD_LIBRARY_PATH", path);
    }
}

impl Contestant {
    /// Starts the server and waits until it listens.
    pub(crate) fn start(&self, scratch: &Path) -> Result<Server> {
        let log = scratch.join(format!("{}.log", self.name));
        let command = (self.make)(self, scratch)?;
        let mut service = self.room.serve(self.name, command, &log)?;
        let mut listening = self.room.command("ss");
        listening.args(["-Hlun", "sport = :69"]);
        service.wait_ready(Duration::from_secs(60), || {
            listening
                .output()
                .is_ok_and(|output| !output.stdout.is_empty())
        })?;
        Ok(Server {
            name: self.name,
            address: format!("{}:69", self.address).parse()?,
            service,
        })
    }
}

impl Server {
    /// CPU time that it and its ended children have taken, seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.service.id()))?;
        // After the name, which is in brackets: four times from the 12th field on.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut ticks = 0.0;
        for field in fields.split_whitespace().skip(11).take(4) {
            ticks += field.parse::<f64>()?;
        }
        let second = sysconf(SysconfVar::CLK_TCK)?.context("no clock")?;
        Ok(ticks / second as f64)
    }

    /// The most memory that it had at once, MiB; not a number once it has died.
    pub(crate) fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.service.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
        Ok(kib.map_or(f64::NAN, |kib| kib / 1024.0))
    }
}
