//! The image that the benchmark installs, in every compression, and the loop device it goes to.
//!
//! Content: a GPT, then blocks of this machine's own programs and libraries (so that compressors meet
//! real data) with runs of zeroes between them.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use embed::digest::Sha256Digest;

use super::signer::Signer;

const SIZE: u64 = 1 << 30;
const RUN: usize = 8 << 20;

/// A raw image and its compressed forms.
pub(crate) struct Image {
    directory: PathBuf,
    /// Bytes of the raw image.
    pub(crate) size: u64,
    /// Share of 4 KiB blocks that are not all zero.
    pub(crate) percent_data: u64,
    digest: Sha256Digest,
}

impl Image {
    /// Makes the image in `directory`.
    pub(crate) fn make(directory: &Path) -> Result<Self> {
        let raw = directory.join("image.raw");
        let data_bytes = fill(&raw)?;
        run(Command::new("sgdisk")
            .args(["-n", "1:2048:0", "-c", "1:data"])
            .arg(&raw))?;
        for line in [
            "zstd -q -3 -k image.raw -o image.zst",
            "ln image.zst image.signed.zst",
            "pigz -c -6 image.raw > image.gz",
            // Blocks and dictionary are those of Fedora CoreOS.
            "xz -T0 --block-size=192MiB --lzma2=preset=1,dict=64MiB -c image.raw > image.blocks.xz",
            "xz -T1 -1 -c image.raw > image.one.xz",
        ] {
            run(Command::new("bash")
                .args(["-c", line])
                .current_dir(directory))?;
        }
        let (digest, size) = Sha256Digest::of_reader(File::open(&raw)?)?;
        Ok(Self {
            directory: directory.to_owned(),
            size,
            percent_data: data_bytes * 100 / size,
            digest,
        })
    }

    /// Where its forms are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The image in one form, for example `raw`.
    pub(crate) fn file(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("image.{kind}"))
    }

    /// Makes it many frames with a signed chunk manifest, in `packed/`.
    pub(crate) fn pack(&self, program: &Path, signer: &Signer) -> Result<()> {
        let packed = self.directory.join("packed");
        fs::create_dir(&packed)?;
        run(Command::new(program)
            .args(["pack", "image", "--level", "3"])
            .arg(self.file("raw"))
            .arg("-o")
            .arg(&packed))?;
        signer.sign(&packed.join("image.chunks.json"))
    }

    /// Fails unless `disk` begins with the image.
    pub(crate) fn is_on(&self, disk: &Path) -> Result<()> {
        let (digest, _) = Sha256Digest::of_reader(File::open(disk)?.take(self.size))?;
        ensure!(
            digest == self.digest,
            "{} does not hold the image",
            disk.display()
        );
        Ok(())
    }
}

/// Alternates 8 MiB of file content and 5 MiB of holes; gives the bytes of content.
fn fill(raw: &Path) -> Result<u64> {
    let mut output = File::create(raw)?;
    output.set_len(SIZE)?;
    let mut position = 1 << 20;
    let mut written = 0;
    for path in real_files()? {
        let mut input = File::open(path)?;
        loop {
            let mut block = Vec::with_capacity(RUN);
            Read::by_ref(&mut input)
                .take(RUN as u64)
                .read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            if position + 2 * RUN as u64 > SIZE {
                return Ok(written);
            }
            output.seek(SeekFrom::Start(position))?;
            output.write_all(&block)?;
            written += block.len() as u64;
            position += (block.len() as u64 * 13 / 8).next_multiple_of(4096);
        }
    }
    bail!("not enough files in /usr to fill an image")
}

fn real_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![PathBuf::from("/usr/bin"), PathBuf::from("/usr/lib")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)?.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(kind)
                    if kind.is_file() && entry.metadata().is_ok_and(|m| m.len() > 64 << 10) =>
                {
                    files.push(entry.path())
                }
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A loop device over a file; detached when dropped.
pub(crate) struct LoopDisk(PathBuf);

impl LoopDisk {
    /// Attaches a new file of `size` bytes.
    pub(crate) fn attach(file: &Path, size: u64) -> Result<Self> {
        File::create(file)?.set_len(size)?;
        let output = Command::new("losetup")
            .args(["--find", "--show", "--partscan", "--direct-io=off"])
            .arg(file)
            .output()?;
        ensure!(
            output.status.success(),
            "losetup failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(Self(PathBuf::from(
            String::from_utf8(output.stdout)?.trim(),
        )))
    }

    /// The device.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let detached = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .status();
        if !detached.is_ok_and(|status| status.success()) {
            eprintln!("warning: {} is still attached", self.0.display());
        }
    }
}

/// RAM when there is room, so that the disk below does not decide.
pub(crate) fn fastest_directory() -> &'static str {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text
            .lines()
            .find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    match free {
        Some(kib) if kib << 10 > 6 * SIZE => "/dev/shm",
        _ => "/var/tmp",
    }
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
