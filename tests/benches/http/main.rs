//! Benchmark: `pxe-server`'s HTTP side against nginx with sendfile, interleaved, medians: small
//! configs, one big file, many big files; and, without a peer, a rendered config for each of many
//! machines.
//!
//! Every answer is compared with what it should be. Prints a table; judges nothing. Needs Debian's
//! `nginx-light`; `tests/bench.sh` builds what it measures. Arguments choose rows by name.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says what it measured"
)]

mod data;
mod download;
mod load;
mod servers;

use std::time::Duration;

use anyhow::{Context, Result};

use data::Data;
use load::Figures;
use servers::Server;

const RUNS: usize = 5;
/// How long small requests are sent in one run.
const SPAN: Duration = Duration::from_secs(2);
/// Requests a second of those that are not as many as go.
const PACE: u32 = 5000;
/// How many of those are sent in one run.
const ROUND: usize = 5000;
const CONNECTIONS: usize = 32;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    let scratch = tempfile::tempdir_in("/dev/shm").context("making a scratch directory")?;
    let data = Data::make(scratch.path())?;
    println!("{RUNS} interleaved runs, medians; CPU of the server's processes");
    if Server::nginx_is_there() {
        let nginx = Server::nginx(scratch.path(), &data)?;
        if chosen("configs") {
            configs(&data, &nginx)?;
        }
        if chosen("big") {
            big(&data, &nginx, "one file of 1 GiB", 1)?;
        }
        if chosen("many") {
            big(&data, &nginx, "32 files of 32 MiB at once", data::FILES)?;
        }
    } else {
        eprintln!(
            "SKIP: configs, big, many: nginx is not installed; its package, nginx-light, starts a service, so that setup leaves it to you"
        );
    }
    if chosen("rendered") {
        rendered(&data)?;
    }
    Ok(())
}

/// A config of 2 KiB, again and again.
fn configs(data: &Data, nginx: &Server) -> Result<()> {
    let ours = Server::site(data)?;
    let expected = vec![data.small()?];
    let sides = [
        (&ours, vec![data.small_path()]),
        (nginx, vec!["/small".to_owned()]),
    ];
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((server, paths), figures) in sides.iter().zip(&mut figures) {
            figures.push(load::run(server, paths, &expected, CONNECTIONS, SPAN)?);
        }
    }
    let [ours, theirs] = figures.map(|figures| Figures::median(&figures));
    println!(
        "{:<34} {:>9.0} /s {:>9.0} /s  ratio {:.2}; CPU {:.1} us {:.1} us  ratio {:.2}",
        "2 KiB configs, 32 connections",
        ours.rate,
        theirs.rate,
        ours.rate / theirs.rate,
        ours.cpu_us,
        theirs.cpu_us,
        ours.cpu_us / theirs.cpu_us
    );
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((server, paths), figures) in sides.iter().zip(&mut figures) {
            let paths: Vec<String> = paths.iter().cloned().cycle().take(ROUND).collect();
            let expected: Vec<Vec<u8>> = expected.iter().cloned().cycle().take(ROUND).collect();
            let run = load::at_pace(server, &paths, &expected, CONNECTIONS, PACE)?;
            figures.push(run);
        }
    }
    let [ours, theirs] = figures.map(|figures| Figures::median(&figures));
    println!(
        "{:<34} p50 {:.2} ms {:.2} ms, p99 {:.2} ms {:.2} ms",
        format!("2 KiB configs, {PACE} a second"),
        ours.p50_ms,
        theirs.p50_ms,
        ours.p99_ms,
        theirs.p99_ms
    );
    Ok(())
}

/// `files` of them, in parallel.
fn big(data: &Data, nginx: &Server, name: &str, files: usize) -> Result<()> {
    let ours = Server::assets(data)?;
    let paths = data.big_paths(files);
    let sides = [(&ours, "/assets"), (nginx, "")];
    let mut figures = [Vec::new(), Vec::new()];
    for run in 0..=RUNS {
        for ((server, prefix), figures) in sides.iter().zip(&mut figures) {
            // Each byte is looked at once; later each piece's beginning is.
            let cost = download::run(server, prefix, &paths, run == 0)?;
            if run > 0 {
                figures.push(cost);
            }
        }
    }
    let [ours, theirs] = figures.map(|figures| download::Cost::median(&figures));
    println!(
        "{name:<34} {:>6.0} MiB/s {:>6.0} MiB/s  ratio {:.2}; CPU {:.3} s/GiB {:.3} s/GiB  ratio {:.2}",
        ours.rate,
        theirs.rate,
        ours.rate / theirs.rate,
        ours.cpu,
        theirs.cpu,
        ours.cpu / theirs.cpu
    );
    Ok(())
}

/// Each machine's own config, made the first time and found later: as fast as it goes, and at a pace.
fn rendered(data: &Data) -> Result<()> {
    let (paths, expected) = data.machines();
    let asked = [("as many as go", None), ("at a pace", Some(PACE))];
    for (how, rate) in asked {
        let ours = Server::site(data)?;
        for round in ["made", "known"] {
            let figures = match rate {
                None => load::once(&ours, &paths, &expected, CONNECTIONS)?,
                Some(rate) => load::at_pace(&ours, &paths, &expected, CONNECTIONS, rate)?,
            };
            println!(
                "{:<34} {:>9.0} /s, {:.0} /s and core; CPU {:.1} us; p50 {:.2} ms, p99 {:.2} ms",
                format!("rendered configs, {round}, {how}"),
                figures.rate,
                1e6 / figures.cpu_us,
                figures.cpu_us,
                figures.p50_ms,
                figures.p99_ms
            );
        }
    }
    Ok(())
}
