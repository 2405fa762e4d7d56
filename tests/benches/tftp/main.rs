//! Benchmark: `pxe-server`'s TFTP side beside Debian's tftpd-hpa and atftpd and the `tftpd` crate's
//! server, interleaved, medians: one client, many clients, many at once, and packets that are lost.
//!
//! Runs in private namespaces, so it needs root; each server is a host of a LAN. Every byte is
//! compared. Prints a table; judges nothing. Arguments choose cases by name.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says what it measured"
)]

mod client;
mod servers;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tests::contender::median;
use tests::lan::{Lan, isolate};

use client::Terms;
use servers::{Contestant, FILES, Server};

const RUNS: usize = 5;
/// Blocks that fit into an Ethernet frame beside what PXE's firmware adds.
const BLOCK_SIZE: u16 = 1428;

struct Case {
    name: &'static str,
    what: &'static str,
    file: usize,
    clients: usize,
    window: u16,
    lost: u32,
    delay: Duration,
}

const CASES: [Case; 5] = [
    Case {
        name: "window-1",
        what: "one client, window 1, 4 MiB",
        file: 1,
        clients: 1,
        window: 1,
        lost: 0,
        delay: Duration::ZERO,
    },
    Case {
        name: "window-64",
        what: "one client, window 64, 64 MiB",
        file: 0,
        clients: 1,
        window: 64,
        lost: 0,
        delay: Duration::ZERO,
    },
    Case {
        name: "clients-32",
        what: "32 clients, window 8, 4 MiB each",
        file: 1,
        clients: 32,
        window: 8,
        lost: 0,
        delay: Duration::ZERO,
    },
    Case {
        name: "loss",
        what: "1% lost each way, 0.2 ms, window 8, 1 MiB",
        file: 2,
        clients: 1,
        window: 8,
        lost: 10,
        delay: Duration::from_micros(200),
    },
    Case {
        name: "clients-1000",
        what: "1,000 clients, window 4, 1 MiB each",
        file: 2,
        clients: 1000,
        window: 4,
        lost: 0,
        delay: Duration::ZERO,
    },
];

/// One run.
struct Figures {
    /// MiB a second, of what arrived.
    rate: f64,
    /// CPU seconds of the server for each GiB.
    cpu: f64,
    /// Packets sent for each that is needed.
    packets: f64,
    /// The slowest transfer by the median one.
    spread: f64,
    failed: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !isolate::is_inside() {
        let status = isolate::run_self(&arguments, &[])?;
        ensure!(status.success(), "the benchmark failed ({status})");
        return Ok(());
    }
    isolate::enter()?;
    let scratch = tempfile::tempdir_in("/run").context("making a scratch directory")?;
    let files = files(scratch.path())?;
    let lan = Lan::create()?;
    let (contestants, missing) = servers::contestants(&lan)?;
    for name in missing {
        eprintln!("SKIP: {name}: not there; `make setup` and `make bench` fetch it");
    }
    println!("{RUNS} interleaved runs, medians; CPU and memory of the server");
    for case in &CASES {
        let wanted = arguments.iter().filter(|word| !word.starts_with('-'));
        let wanted: Vec<&String> = wanted.collect();
        if wanted.is_empty() || wanted.iter().any(|name| *name == case.name) {
            compare(case, &contestants, &files, scratch.path())?;
        }
    }
    Ok(())
}

/// The files' contents, by their places in [`FILES`].
fn files(scratch: &Path) -> Result<Vec<Vec<u8>>> {
    let dir = scratch.join("files");
    fs::create_dir(&dir)?;
    let mut state = 1u32;
    let mut contents = Vec::new();
    for (name, size) in FILES {
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()
        };
        let bytes: Vec<u8> = std::iter::repeat_with(next)
            .take(size / 4)
            .flatten()
            .collect();
        fs::write(dir.join(name), &bytes)?;
        contents.push(bytes);
    }
    Ok(contents)
}

fn compare(
    case: &Case,
    contestants: &[Contestant],
    files: &[Vec<u8>],
    scratch: &Path,
) -> Result<()> {
    println!("\n{}", case.what);
    println!(
        "{:<14} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "", "MiB/s", "CPU/GiB", "packets", "slowest", "MiB", "failed"
    );
    let started = contestants.iter().map(|one| one.start(scratch));
    let running = started.collect::<Result<Vec<Server>>>()?;
    let mut figures: Vec<Vec<Figures>> = running.iter().map(|_| Vec::new()).collect();
    let content = files.get(case.file).context("no such file")?;
    for round in 0..=RUNS {
        for (server, figures) in running.iter().zip(&mut figures) {
            let run = measure(case, server, content)?;
            if round > 0 {
                figures.push(run);
            }
        }
    }
    for (server, figures) in running.iter().zip(&figures) {
        println!(
            "{:<14} {:>9.2} {:>8.2} {:>8.3} {:>8.2} {:>8.1} {:>7}",
            server.name,
            median(figures, |run| run.rate),
            median(figures, |run| run.cpu),
            median(figures, |run| run.packets),
            median(figures, |run| run.spread),
            server.memory()?,
            figures.iter().map(|run| run.failed).sum::<f64>()
        );
    }
    Ok(())
}

fn measure(case: &Case, server: &Server, content: &[u8]) -> Result<Figures> {
    let (name, _) = FILES.get(case.file).context("no such file")?;
    let terms = Terms {
        block_size: BLOCK_SIZE,
        window: case.window,
        lost: case.lost,
        delay: case.delay,
    };
    let (cpu, began) = (server.cpu()?, Instant::now());
    let outcome = client::run(server.address, name, content, terms, case.clients);
    let outcome = outcome.with_context(|| format!("{}: {}", server.name, case.what))?;
    let wall = began.elapsed().as_secs_f64();
    // Children that served are counted once they have ended.
    std::thread::sleep(Duration::from_millis(100));
    let cpu = server.cpu()? - cpu;
    let arrived = outcome.times.len();
    let mib = (arrived * content.len()) as f64 / f64::from(1 << 20);
    let needed = arrived * (content.len() / usize::from(BLOCK_SIZE) + 1);
    let at = |place: usize| {
        outcome
            .times
            .get(place)
            .map_or(f64::NAN, Duration::as_secs_f64)
    };
    Ok(Figures {
        rate: mib / wall,
        cpu: cpu / (mib / 1024.0),
        packets: outcome.packets as f64 / needed as f64,
        spread: at(arrived.saturating_sub(1)) / at(arrived / 2),
        failed: outcome.failed as f64,
    })
}
