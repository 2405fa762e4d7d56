//! Benchmark: what reading, checking and converting configs costs, in CPU time of this process.
//!
//! No peer: the original validator of Debian knows no spec after 3.3 and is a program of its own,
//! whose start would be measured. Prints a table; judges nothing.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use embed::butane::{self, FilesDir};
use embed::ignition::{self, ReadOptions};
use embed::tree::{Sources, write};
use nix::sys::resource::{UsageWho, getrusage};

const RUNS: usize = 21;
const TREE_FILES: usize = 10_000;

fn main() -> Result<()> {
    println!("medians of {RUNS} runs");
    println!("{:<44} {:>9} {:>10}", "", "bytes", "CPU");
    let config = ignition_of(100 << 10)?;
    row("validate an Ignition config", config.len(), || {
        let mut sources = Sources::new();
        let (checked, _) = ignition::read(&mut sources, "bench", config.as_str(), &READ);
        ensure!(checked.is_some(), "the config is not valid");
        Ok(())
    })?;
    let files = tempfile::tempdir()?;
    let butane = butane_of(files.path())?;
    let dir = FilesDir::open(files.path())?;
    row(
        "convert a Butane config, check the result",
        butane.len(),
        || convert(&butane, &dir).map(drop),
    )?;
    fs::create_dir(files.path().join("tree"))?;
    for number in 0..TREE_FILES {
        let path = files.path().join("tree").join(format!("file-{number}"));
        fs::write(path, format!("contents of file {number}\n"))?;
    }
    let tree = "variant: fcos\nversion: 1.5.0\nstorage: {trees: [{local: tree}]}\n";
    let before = peak_memory()?;
    let mut size = 0;
    row(
        &format!("convert a tree of {TREE_FILES} files"),
        tree.len(),
        || {
            size = convert(tree, &dir)?.len();
            Ok(())
        },
    )?;
    println!(
        "its Ignition config: {} KiB; memory grew by {} KiB at most",
        size >> 10,
        peak_memory()? - before
    );
    Ok(())
}

const READ: ReadOptions = ReadOptions {
    experimental: false,
};

fn convert(text: &str, dir: &FilesDir) -> Result<String> {
    let mut sources = Sources::new();
    let options = butane::Options {
        files: Some(dir),
        ..Default::default()
    };
    let converted = butane::convert(&mut sources, "bench", text, &options);
    let config = converted.config.context("the config has errors")?;
    Ok(write::json(&config, false))
}

/// A valid config of about `size` bytes: files, users and units as operators write them.
fn ignition_of(size: usize) -> Result<String> {
    let mut files = String::new();
    let mut number = 0;
    while files.len() < size {
        let comma = if number == 0 { "" } else { "," };
        write!(
            files,
            r#"{comma}{{"path":"/etc/app/{number}.conf","mode":420,"user":{{"name":"core"}},"contents":{{"source":"data:,a%20line%20of%20text%0A","verification":{{"hash":"sha256-{number:064}"}}}}}}"#
        )?;
        number += 1;
    }
    Ok(format!(
        r#"{{"ignition":{{"version":"3.4.0"}},"storage":{{"files":[{files}]}}}}"#
    ))
}

/// What a machine of a small cluster gets.
fn butane_of(dir: &std::path::Path) -> Result<String> {
    fs::write(
        dir.join("app.service"),
        "[Service]\nExecStart=/usr/bin/app\n[Install]\nWantedBy=multi-user.target\n",
    )?;
    let mut text = String::from(
        "variant: fcos\nversion: 1.5.0\nboot_device:\n  mirror: {devices: [/dev/sda, /dev/sdb]}\n  layout: x86_64\n\
         passwd:\n  users:\n    - {name: core, ssh_authorized_keys: [ssh-ed25519 AAAA admin]}\n\
         systemd:\n  units:\n    - {name: app.service, enabled: true, contents_local: app.service}\n\
         storage:\n  filesystems:\n    - {device: /dev/sdc, format: xfs, path: /var/lib/app, with_mount_unit: true}\n  files:\n",
    );
    for number in 0..20 {
        write!(
            text,
            "    - path: /etc/app/{number}.conf\n      mode: 0644\n      contents:\n        inline: |\n          [main]\n          key = value {number}\n"
        )?;
    }
    Ok(text)
}

fn row(name: &str, bytes: usize, mut run: impl FnMut() -> Result<()>) -> Result<()> {
    run()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let before = cpu()?;
        run()?;
        times.push(cpu()? - before);
    }
    times.sort();
    let median = times.get(RUNS / 2).copied().unwrap_or_default();
    println!(
        "{name:<44} {bytes:>9} {:>7.2} ms",
        median.as_secs_f64() * 1e3
    );
    Ok(())
}

fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default()
    };
    Ok(Duration::from_micros(
        micros(usage.user_time()) + micros(usage.system_time()),
    ))
}

/// The most memory that this process has had, KiB. (`getrusage` counts its parent's, too.)
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmHWM in /proc/self/status")?.parse()?)
}
