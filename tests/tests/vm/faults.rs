//! What goes wrong on a machine's way: it stops with a clear error and nothing is half done.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tests::server::EventView;
use tests::site::MAC;

use crate::bench::Bench;
use crate::case::{Case, Tier};
use crate::network::{install_published, start_live};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "wrong_rootfs_is_not_booted",
        tier: Tier::Small,
        run: wrong_rootfs,
    },
    Case {
        name: "too_little_memory_is_said_before_the_download",
        tier: Tier::Small,
        run: too_little_memory,
    },
    Case {
        name: "image_with_a_bad_signature_leaves_the_disk_unbootable",
        tier: Tier::Full,
        run: bad_signature,
    },
];

fn wrong_rootfs(bench: &Bench) -> Result<()> {
    let media = spoilt_media(bench, &bench.artifacts.manifest().rootfs.file)?;
    let mut lab = bench.lab(&media, |_| Ok(()))?;
    let disk = bench.empty_disk()?;
    let mut vm = start_live(bench, &mut lab, &disk, 2048)?;
    vm.wait_for("does not have the expected SHA-256", bench.patience(60))?;
    ensure_empty(&disk)
}

fn too_little_memory(bench: &Bench) -> Result<()> {
    let mut lab = bench.lab(bench.artifacts.media(), |_| Ok(()))?;
    let disk = bench.empty_disk()?;
    let mut vm = start_live(bench, &mut lab, &disk, 640)?;
    vm.wait_for("not enough memory for the live system", bench.patience(60))?;
    ensure_empty(&disk)
}

fn bad_signature(bench: &Bench) -> Result<()> {
    let manifest = bench.artifacts.manifest();
    let image = manifest.image.as_ref();
    let image = image.context("the media hold no published image")?;
    let signature = image.signature.as_ref();
    let media = spoilt_media(bench, signature.context("the image has no signature")?)?;
    let mut lab = bench.lab(&media, install_published)?;
    let disk = bench.empty_disk()?;
    let mut vm = start_live(bench, &mut lab, &disk, 2048)?;
    vm.wait_for("coreos-metal: install failed", bench.patience(60))?;
    vm.wait_for("does not match the", bench.patience(1))?;
    let machine = lab
        .server()?
        .wait_state(MAC, "failed", bench.patience(10))?;
    let told = |event: &EventView| event.event == "install-failed";
    ensure!(
        machine.timeline.iter().any(told),
        "no event tells of the failure"
    );
    ensure_unbootable(&disk)?;
    let script = lab.server()?.script(MAC)?;
    ensure!(
        !script.contains("kernel "),
        "a failed machine is installed again without being asked for:\n{script}"
    );
    Ok(())
}

/// A copy of the media in which one bit in the middle of `file` is another.
fn spoilt_media(bench: &Bench, file: &str) -> Result<PathBuf> {
    let media = bench.path("spoilt");
    std::fs::create_dir(&media)?;
    for entry in std::fs::read_dir(bench.artifacts.media())? {
        let entry = entry?;
        if Some(entry.path()) != bench.artifacts.iso().ok() {
            std::fs::copy(entry.path(), media.join(entry.file_name()))?;
        }
    }
    let path = media.join(file);
    let target = File::options().read(true).write(true).open(&path)?;
    let middle = target.metadata()?.len() / 2;
    let mut byte = [0];
    target.read_exact_at(&mut byte, middle)?;
    target.write_all_at(&byte.map(|byte| byte ^ 1), middle)?;
    Ok(media)
}

/// Nothing was written where booting begins.
fn ensure_empty(disk: &Path) -> Result<()> {
    let head = head(disk)?;
    ensure!(
        head.iter().all(|byte| *byte == 0),
        "the disk's first MiB is not zero"
    );
    Ok(())
}

/// There is no boot code, and a valid GPT (UEFI 2.10, section 5.3) without a partition.
fn ensure_unbootable(disk: &Path) -> Result<()> {
    const BOOT_CODE: Range<usize> = 0..440;
    const GPT: Range<usize> = 512..520;
    const ENTRIES: Range<usize> = 1024..1024 + 128 * 128;
    let head = head(disk)?;
    let zero = |range: Range<usize>| {
        head.get(range)
            .is_some_and(|part| part.iter().all(|byte| *byte == 0))
    };
    ensure!(head.get(GPT) == Some(b"EFI PART"), "the disk has no GPT");
    ensure!(zero(BOOT_CODE), "the disk has boot code");
    ensure!(zero(ENTRIES), "the disk has partitions");
    Ok(())
}

fn head(disk: &Path) -> Result<Vec<u8>> {
    let mut head = vec![0; 1 << 20];
    File::open(disk)?.read_exact(&mut head)?;
    Ok(head)
}
