//! Finds a file system by its label: by reading the superblocks of all block devices, else
//! (kernels without a partition parser) inside the partition tables of whole disks. Needs no udev.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use embed::gpt::Partition;

use crate::mount::{self, Access, MountError};
use crate::superblock::{self, Kind};
use crate::{sys, table};

/// How long slow storage may take to appear.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How long the kernel and udev get before partitions are looked for in raw tables.
const SETTLE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);

/// Why no file system was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoverError {
    /// None has the label.
    #[error("no file system labelled `{label}` appeared in {seconds} s on {}", list(.devices))]
    Absent {
        /// Label looked for.
        label: String,
        /// Time waited.
        seconds: u64,
        /// Devices looked at.
        devices: Vec<PathBuf>,
    },
    /// Several have the label, and one cannot be preferred.
    #[error("several file systems are labelled `{label}`: {}", list(.devices))]
    Several {
        /// Label looked for.
        label: String,
        /// Devices that have it.
        devices: Vec<PathBuf>,
    },
}

fn list(devices: &[PathBuf]) -> String {
    if devices.is_empty() {
        return "any device".to_owned();
    }
    devices
        .iter()
        .map(|device| device.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A file system and the device it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Device node.
    pub device: PathBuf,
    /// Place inside the device, when it is a partition that the kernel does not show.
    pub inside: Option<Inside>,
    /// Its kind.
    pub kind: Kind,
}

/// A byte range of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
}

impl Found {
    /// Mounts it read-only.
    pub fn mount(&self, target: &Path) -> Result<(), MountError> {
        match self.inside {
            None => mount::device(&self.device, target, self.kind, Access::ReadOnly),
            Some(inside) => {
                mount::part_of(&self.device, inside.start, inside.length, target, self.kind)
            }
        }
    }
}

/// Where devices are listed and where their nodes are.
#[derive(Clone, Debug)]
pub struct Devices {
    class_block: PathBuf,
    nodes: PathBuf,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            class_block: "/sys/class/block".into(),
            nodes: "/dev".into(),
        }
    }
}

impl Devices {
    /// Waits until exactly one file system labelled `label` is there, at most `patience`.
    pub fn wait(&self, label: &str, patience: Duration) -> Result<Found, DiscoverError> {
        let begin = Instant::now();
        loop {
            let mut found = self.labelled(label);
            if found.is_empty() && begin.elapsed() >= SETTLE.min(patience) {
                found = self.labelled_in_tables(label);
            }
            match found.as_slice() {
                [] if begin.elapsed() < patience => thread::sleep(PAUSE),
                [] => {
                    return Err(DiscoverError::Absent {
                        label: label.to_owned(),
                        seconds: begin.elapsed().as_secs(),
                        devices: self
                            .names()
                            .iter()
                            .map(|name| self.nodes.join(name))
                            .collect(),
                    });
                }
                [one] => return Ok(one.clone()),
                more => {
                    return Err(DiscoverError::Several {
                        label: label.to_owned(),
                        devices: more.iter().map(|found| found.device.clone()).collect(),
                    });
                }
            }
        }
    }

    /// File systems on the devices that the kernel shows.
    fn labelled(&self, label: &str) -> Vec<Found> {
        let mut found: Vec<Found> = self
            .names()
            .iter()
            .filter_map(|name| {
                let device = self.nodes.join(name);
                let superblock = superblock::read(&mut File::open(&device).ok()?, 0).ok()??;
                (superblock.label == label).then_some(Found {
                    device,
                    inside: None,
                    kind: superblock.kind,
                })
            })
            .collect();
        // A hybrid ISO on a stick shows the same file system on the disk and on its first
        // partition.
        if found.iter().all(|found| found.kind == Kind::Iso9660) {
            found.truncate(1);
        }
        found
    }

    /// File systems in partitions of disks for which the kernel shows no partition.
    fn labelled_in_tables(&self, label: &str) -> Vec<Found> {
        let whole = |name: &String| {
            let entry = self.class_block.join(name);
            !entry.join("partition").exists() && !entry.join(format!("{name}1")).exists()
        };
        let names = self.names();
        names
            .iter()
            .filter(|name| whole(name))
            .flat_map(|name| self.in_table(&self.nodes.join(name), label))
            .collect()
    }

    fn in_table(&self, device: &Path, label: &str) -> Vec<Found> {
        let Ok(mut file) = File::open(device) else {
            return Vec::new();
        };
        let (sector, size) = geometry(&file);
        let Ok(table) = table::read(&file, sector, size) else {
            return Vec::new();
        };
        let labelled = |partition: Partition| {
            let superblock = superblock::read(&mut file, partition.start).ok()??;
            let inside = Some(Inside {
                start: partition.start,
                length: partition.length,
            });
            (superblock.label == label).then(|| Found {
                device: device.to_owned(),
                inside,
                kind: superblock.kind,
            })
        };
        table.partitions().filter_map(labelled).collect()
    }

    /// Names of all devices that may hold a boot medium, sorted.
    fn names(&self) -> Vec<String> {
        let virtual_kinds = ["loop", "ram", "zram"];
        let mut names: Vec<String> = fs::read_dir(&self.class_block)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !virtual_kinds.iter().any(|kind| name.starts_with(kind)))
            .collect();
        names.sort();
        names
    }
}

/// Sector size and size, bytes; a plain file counts as a disk with sectors of 512 bytes.
fn geometry(file: &File) -> (u32, u64) {
    let length = || file.metadata().map_or(0, |metadata| metadata.len());
    (
        sys::sector_size(file).unwrap_or(512),
        sys::device_size(file).unwrap_or_else(|_: io::Error| length()),
    )
}

#[cfg(test)]
mod tests;
