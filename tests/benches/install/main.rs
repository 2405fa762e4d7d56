//! Benchmark: `coreos-installer install` onto a loop device against the field's own pipelines
//! (`dd`, `zstd | dd`, `gzip | dd`, `xz | dd`, all with O_DIRECT writes), interleaved, medians.
//!
//! Every run also checks that the disk holds the image. Prints a table; judges nothing. Needs root
//! and a loop device; `tests/bench.sh` builds what it measures.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says what it measured"
)]

mod image;
mod pair;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

const RUNS: usize = 5;

fn main() -> Result<()> {
    let scratch =
        tempfile::tempdir_in(image::fastest_directory()).context("making a scratch directory")?;
    let image = image::Image::make(scratch.path())?;
    let disk = image::LoopDisk::attach(&scratch.path().join("disk"), image.size * 5 / 4)?;
    println!(
        "image: {} MiB, {}% of its 4 KiB blocks are data; {RUNS} interleaved runs, medians",
        image.size >> 20,
        image.percent_data
    );
    println!(
        "{:<6} {:>10} {:>10} {:>7} {:>10} {:>10} {:>7}",
        "source", "ours wall", "peer wall", "ratio", "ours cpu", "peer cpu", "ratio"
    );
    for (kind, peer) in [
        (
            "raw",
            "dd if={image} of={disk} bs=4M iflag=fullblock oflag=direct conv=fsync",
        ),
        (
            "zst",
            "zstd -dcq {image} | dd of={disk} bs=4M iflag=fullblock oflag=direct conv=fsync",
        ),
        (
            "gz",
            "gzip -dc {image} | dd of={disk} bs=4M iflag=fullblock oflag=direct conv=fsync",
        ),
        (
            "xz",
            "xz -dc -T2 {image} | dd of={disk} bs=4M iflag=fullblock oflag=direct conv=fsync",
        ),
    ] {
        let source = image.file(kind);
        let row = pair::interleave(
            RUNS,
            || ours(&source, disk.path()),
            || shell(peer, &source, disk.path()),
            || image.is_on(disk.path()),
        )?;
        println!("{kind:<6} {row}");
    }
    Ok(())
}

fn ours(image: &Path, disk: &Path) -> Result<Command> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/coreos-installer");
    ensure!(
        program.exists(),
        "coreos-installer is not built; run tests/bench.sh"
    );
    let mut command = Command::new(program);
    command
        .args([
            "install",
            "--insecure",
            "--progress",
            "none",
            "--image-file",
        ])
        .arg(image)
        .arg(disk);
    Ok(command)
}

fn shell(line: &str, image: &Path, disk: &Path) -> Result<Command> {
    let line = line
        .replace("{image}", &image.to_string_lossy())
        .replace("{disk}", &disk.to_string_lossy());
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", &line]);
    Ok(command)
}
