//! Benchmark: `coreos-installer install` onto a loop device against the released program of
//! upstream, and against the field's own pipelines, interleaved, medians.
//!
//! Every run also checks that the disk holds the image. Prints a table; judges nothing. Needs root
//! and a loop device; `tests/bench.sh` builds what it measures. Arguments choose rows by name.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says what it measured"
)]

mod image;
mod rows;
mod server;
mod signer;

use anyhow::{Context, Result};
use tests::contender::{self, Cost};

const RUNS: usize = 5;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let scratch =
        tempfile::tempdir_in(image::fastest_directory()).context("making a scratch directory")?;
    let image = image::Image::make(scratch.path())?;
    let disk = image::LoopDisk::attach(&scratch.path().join("disk"), image.size * 5 / 4)?;
    let bench = rows::Bench::new(&image, disk.path(), scratch.path())?;
    println!(
        "image: {} MiB, {}% of its 4 KiB blocks are data; {RUNS} interleaved runs, medians",
        image.size >> 20,
        image.percent_data
    );
    println!("{:<12} {:<26} {}", "source", "against", Cost::COLUMNS);
    for row in bench.rows().into_iter().filter(|row| chosen(row.name)) {
        let costs = contender::interleave(RUNS, &row.contenders, || image.is_on(disk.path()))?;
        let Some((ours, others)) = costs.split_first() else {
            continue;
        };
        for ((name, _), theirs) in row.contenders.iter().skip(1).zip(others) {
            println!("{:<12} {name:<26} {}", row.name, ours.beside(theirs));
        }
    }
    Ok(())
}
