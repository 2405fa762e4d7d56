//! The minimal ISO: all but the rootfs, which it fetches from a server that breaks off once.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use tests::artifacts;
use tests::lan::{Dnsmasq, Lan, OBSERVER};
use tests::programs::program;
use tests::site::MAC;
use tests::vm::{Drive, Firmware, Nic};

use crate::bench::Bench;
use crate::case::{Case, Tier};

pub(crate) const CASES: &[Case] = &[Case {
    name: "minimal_iso_boots_from_a_server_that_breaks_off",
    tier: Tier::Full,
    run: boots,
}];

const PORT: u16 = 8080;

fn boots(bench: &Bench) -> Result<()> {
    let lan = Lan::create()?;
    let mut dnsmasq = Dnsmasq::start(&lan, &bench.logs.join("dnsmasq.log"))?;
    let rootfs = &bench.artifacts.manifest().rootfs.file;
    let requests = serve(bench.artifacts.media().join(rootfs))?;
    let iso = bench.path("minimal.iso");
    let mut command = Command::new(program("coreos-installer")?);
    command
        .args(["iso", "extract", "minimal-iso", "--rootfs-url"])
        .arg(format!("http://{OBSERVER}:{PORT}/rootfs.img"))
        .arg(bench.artifacts.iso()?)
        .arg(&iso);
    artifacts::run(
        command,
        "coreos-installer iso extract minimal-iso",
        &bench.logs.join("minimal-iso.log"),
    )?;
    let mut vm = bench
        .machine("machine", Firmware::SeaBios)
        .drive(Drive::CdRom(iso))
        .nic(Nic::Tap {
            device: lan.tap("tap0")?,
            mac: MAC.into(),
            rom: false,
        })
        .start()?;
    bench.say("booting the minimal ISO");
    vm.wait_for("coreos-metal: rootfs: connection broke", bench.patience(60))?;
    bench.say("the server broke off");
    vm.wait_for("coreos-metal: live system ", bench.patience(60))?;
    dnsmasq.check()?;
    let starts: Vec<u64> = requests.try_iter().collect();
    ensure!(
        matches!(starts.as_slice(), [0, next] if *next > 0),
        "the transfer did not go on where it broke off: requests began at {starts:?}"
    );
    Ok(())
}

/// Serves the file at `path`: of the first answer only a half. Gives the byte that each request
/// begins with.
fn serve(path: PathBuf) -> Result<Receiver<u64>> {
    let listener = TcpListener::bind((OBSERVER, PORT)).context("listening")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(start) = stream.and_then(|stream| answer(&stream, &path)) else {
                continue;
            };
            if sender.send(start).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn answer(mut stream: &TcpStream, path: &Path) -> io::Result<u64> {
    let mut start = 0;
    for line in BufReader::new(stream).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let head = match start {
        0 => "200 OK".to_owned(),
        _ => format!(
            "206 Partial Content\r\nContent-Range: bytes {start}-{}/{size}",
            size.saturating_sub(1)
        ),
    };
    let rest = size.saturating_sub(start);
    write!(
        stream,
        "HTTP/1.1 {head}\r\nContent-Length: {rest}\r\nConnection: close\r\n\r\n"
    )?;
    file.seek(SeekFrom::Start(start))?;
    let sent = if start == 0 { size / 2 } else { rest };
    io::copy(&mut file.take(sent), &mut stream)?;
    Ok(start)
}
