//! Benchmark: the ISO writer against xorriso and a plain copy, and a config embedded into an ISO
//! against upstream's released program, interleaved, medians.
//!
//! Every run also checks what it left. Prints a table; judges nothing. `tests/bench.sh` builds what
//! it measures. The live root is not measured: mksquashfs itself makes it.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

mod medium;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use embed::digest::Sha256Digest;
use embed::iso::{IsoReader, LiveIso};
use tests::contender::{self, Cost, Make};
use tests::programs::{self, program};

const RUNS: usize = 5;
/// First argument of the copy of this program that writes an ISO.
const WRITE: &str = "write";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, tree, iso] = arguments.as_slice()
        && first == WRITE
    {
        return medium::write(Path::new(tree), Path::new(iso));
    }
    let scratch = tempfile::tempdir_in("/dev/shm").context("making a scratch directory")?;
    let bench = Bench::new(scratch.path())?;
    println!(
        "ISO of {} MiB; {RUNS} interleaved runs, medians",
        medium::ROOTFS_BYTES >> 20
    );
    println!("{:<16} {:<24} {}", "task", "against", Cost::COLUMNS);
    bench.writing()?;
    bench.embedding_in_place()?;
    bench.embedding_to_a_file()
}

/// A tree, the ISO made of it, and where contenders write to.
struct Bench {
    tree: PathBuf,
    iso: PathBuf,
    output: PathBuf,
    config: PathBuf,
    rootfs: Sha256Digest,
    upstream: PathBuf,
}

impl Bench {
    fn new(scratch: &Path) -> Result<Self> {
        let tree = scratch.join("tree");
        medium::make_tree(&tree)?;
        let (rootfs, _) = Sha256Digest::of_reader(File::open(tree.join(medium::ROOTFS))?)?;
        let iso = scratch.join("live.iso");
        medium::write(&tree, &iso)?;
        let config = scratch.join("config.ign");
        fs::write(&config, r#"{"ignition":{"version":"3.4.0"}}"#)?;
        let upstream = programs::directory()?.join("../bench-peer/bin/coreos-installer");
        ensure!(
            upstream.exists(),
            "{} is not built; run tests/bench.sh",
            upstream.display()
        );
        Ok(Self {
            tree,
            iso,
            output: scratch.join("output.iso"),
            config,
            rootfs,
            upstream,
        })
    }

    fn writing(&self) -> Result<()> {
        let contenders = [
            ("", self.write_ours()?),
            ("xorriso", self.xorriso()),
            ("cp, without reflink", self.copy()),
        ];
        table("write an ISO", &contenders, || self.holds_rootfs())
    }

    fn embedding_in_place(&self) -> Result<()> {
        let in_place = |program: PathBuf| -> Make {
            let (iso, config) = (self.iso.clone(), self.config.clone());
            Box::new(move || {
                let mut command = Command::new(&program);
                command.args(["iso", "ignition", "embed", "--force", "-i"]);
                command.args([&config, &iso]);
                command
            })
        };
        let contenders = [
            ("", in_place(program("coreos-installer")?)),
            ("coreos-installer 0.27.0", in_place(self.upstream.clone())),
        ];
        table("embed in place", &contenders, || self.has_config(&self.iso))
    }

    fn embedding_to_a_file(&self) -> Result<()> {
        let to_a_file = |program: PathBuf| -> Make {
            let paths = [&self.config, &self.output, &self.iso].map(Clone::clone);
            Box::new(move || {
                let [config, output, iso] = &paths;
                // Upstream writes no output over another.
                let line = r#"rm -f "$2"; "$0" iso ignition embed --force -i "$1" -o "$2" "$3""#;
                let mut command = Command::new("sh");
                command.args(["-c", line]).arg(&program);
                command.args([config, output, iso]);
                command
            })
        };
        let contenders = [
            ("", to_a_file(program("coreos-installer")?)),
            ("coreos-installer 0.27.0", to_a_file(self.upstream.clone())),
            ("cp, without reflink, alone", self.copy()),
        ];
        table("embed to a file", &contenders, || {
            self.has_config(&self.output)?;
            self.holds_rootfs()
        })
    }

    fn write_ours(&self) -> Result<Make> {
        let program = std::env::current_exe()?;
        let (tree, output) = (self.tree.clone(), self.output.clone());
        Ok(Box::new(move || {
            let mut command = Command::new(&program);
            command.arg(WRITE).args([&tree, &output]);
            command
        }))
    }

    fn xorriso(&self) -> Make {
        let (tree, output) = (self.tree.clone(), self.output.clone());
        Box::new(move || {
            let mut command = Command::new("xorriso");
            command.args(["-as", "mkisofs", "-quiet", "-r", "-J", "-V", medium::LABEL]);
            command
                .args(["--grub2-mbr"])
                .arg(tree.join(medium::BOOT_CODE));
            command.args(["-b", medium::BIOS_IMAGE, "-no-emul-boot"]);
            command.args([
                "-boot-load-size",
                "4",
                "-boot-info-table",
                "--grub2-boot-info",
            ]);
            command.args([
                "-eltorito-alt-boot",
                "-e",
                medium::EFI_IMAGE,
                "-no-emul-boot",
            ]);
            command
                .args(["-isohybrid-gpt-basdat", "-o"])
                .args([&output, &tree]);
            command
        })
    }

    fn copy(&self) -> Make {
        let (iso, output) = (self.iso.clone(), self.output.clone());
        Box::new(move || {
            let mut command = Command::new("cp");
            command.arg("--reflink=never").args([&iso, &output]);
            command
        })
    }

    fn holds_rootfs(&self) -> Result<()> {
        let mut iso = IsoReader::open(File::open(&self.output)?)?;
        let extent = iso.find(medium::ROOTFS)?.context("no rootfs in the ISO")?;
        let digest = medium::digest(&self.output, extent.offset, extent.length)?;
        ensure!(digest == self.rootfs, "the ISO's rootfs is not the tree's");
        Ok(())
    }

    fn has_config(&self, iso: &Path) -> Result<()> {
        ensure!(
            !LiveIso::open(File::open(iso)?)?.is_pristine()?,
            "no config is embedded"
        );
        Ok(())
    }
}

fn table(
    task: &str,
    contenders: &[(&'static str, Make)],
    check: impl Fn() -> Result<()>,
) -> Result<()> {
    let costs = contender::interleave(RUNS, contenders, check)?;
    let (ours, others) = costs.split_first().context("nobody to measure")?;
    for ((name, _), theirs) in contenders.iter().skip(1).zip(others) {
        println!("{task:<16} {name:<24} {}", ours.beside(theirs));
    }
    Ok(())
}
