//! What this machine consists of, read from `/proc` and `/sys`: every file to a bound, and what is
//! not there is not told. Only what has a device behind it counts: no loop devices, no bridges.
//! Layouts: the kernel's `Documentation/ABI`; the result is [`embed::hardware`].

mod disks;
mod nics;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use embed::hardware::{Firmware, FirmwareKind, Hardware, Processor, System, Text};

use crate::memory::Memory;

/// Bytes that are read of a file; each holds far less, but for the list of all processors.
const MAX_FILE: u64 = 16 * 1024;
/// Entries of a directory that are looked at.
const MAX_ENTRIES: usize = 1024;
/// The variable by which UEFI says whether it starts signed programs only: four bytes of attributes
/// and one of value (UEFI 2.10, 3.3).
const SECURE_BOOT: &str =
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// What the machine whose `/` is `root` consists of.
pub fn gather(root: &Path) -> Hardware {
    let tree = Tree(root.to_owned());
    Hardware {
        system: system(&tree),
        firmware: firmware(&tree),
        processor: processor(&tree),
        memory: Memory::parse(&tree.string("proc/meminfo").unwrap_or_default()).total,
        disks: disks::of(&tree),
        nics: nics::of(&tree),
    }
}

/// Attributes below a directory.
struct Tree(PathBuf);

impl Tree {
    /// The directory `path`, with the names in it, sorted.
    fn list(&self, path: &str) -> Vec<(String, Tree)> {
        let dir = self.0.join(path);
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(MAX_ENTRIES).collect();
        names.sort();
        let tree = |name: String| {
            let below = Tree(dir.join(&name));
            (name, below)
        };
        names.into_iter().map(tree).collect()
    }

    fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// The last part of the name that the link `path` leads to.
    fn target(&self, path: &str) -> Option<Text> {
        let target = fs::read_link(self.0.join(path)).ok()?;
        Text::of(target.file_name()?.to_str()?)
    }

    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.0.join(path)).ok()?;
        file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn string(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(path)?).into_owned())
    }

    fn text(&self, path: &str) -> Option<Text> {
        Text::of(&self.string(path)?)
    }

    fn number<N: std::str::FromStr>(&self, path: &str) -> Option<N> {
        self.string(path)?.trim().parse().ok()
    }

    fn flag(&self, path: &str) -> Option<bool> {
        self.number::<u8>(path).map(|number| number != 0)
    }
}

fn system(tree: &Tree) -> System {
    let told = |name: &str| tree.text(&format!("sys/class/dmi/id/{name}"));
    System {
        manufacturer: told("sys_vendor"),
        product: told("product_name"),
        serial: told("product_serial"),
        uuid: told("product_uuid"),
        asset: told("chassis_asset_tag"),
    }
}

fn firmware(tree: &Tree) -> Firmware {
    let kind = match tree.has("sys/firmware/efi") {
        true => FirmwareKind::Uefi,
        false => FirmwareKind::Bios,
    };
    let tpm = tree.string("sys/class/tpm/tpm0/tpm_version_major");
    let tpm = match tpm.as_deref().map(str::trim) {
        Some("2") => Text::of("2.0"),
        Some("1") => Text::of("1.2"),
        _ => None,
    };
    Firmware {
        kind,
        vendor: tree.text("sys/class/dmi/id/bios_vendor"),
        version: tree.text("sys/class/dmi/id/bios_version"),
        secure_boot: tree
            .bytes(SECURE_BOOT)
            .and_then(|bytes| Some(*bytes.get(4)? == 1)),
        tpm,
    }
}

fn processor(tree: &Tree) -> Processor {
    let info = tree.string("proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then_some(value)
    });
    let online = tree.string("sys/devices/system/cpu/online");
    Processor {
        model: model.and_then(Text::of),
        count: listed(online.as_deref().unwrap_or_default().trim()),
    }
}

/// How many numbers a list like `0-3,7` has.
fn listed(list: &str) -> u32 {
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let counts = list.split(',').filter_map(count);
    counts.fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests;
