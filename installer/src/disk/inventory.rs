//! The disks of this machine: what they are, from sysfs alone, what is on them, and who uses
//! them. Nothing is asked of udev; its links in `/dev/disk` are shown where there are any.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::SectorSize;
use super::busy::{Kernel, Use, dev_path, list};
use super::composed::{Composed, wwn_of};
use super::content::{self, Content, Glance};

/// Where udev keeps its links.
const LINKS: [&str; 3] = ["/dev/disk/by-path", "/dev/disk/by-id", "/dev/mapper"];

/// Kinds of block devices that nobody installs to, by the start of their names: memory, optical
/// and floppy drives.
const NOT_DISKS: [&str; 5] = ["ram", "zram", "sr", "fd", "nbd"];

/// What is made of other disks. Some of that are disks themselves: multipath devices, RAIDs.
const COMPOSED: [&str; 2] = ["dm-", "md"];

/// The unit of sizes in sysfs, whatever the disk's sectors are.
const SYSFS_SECTOR: u64 = 512;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DiskInfo {
    /// Device node.
    pub path: PathBuf,
    /// udev's links to it, if there are any.
    pub links: Vec<PathBuf>,
    /// Bytes.
    pub size: u64,
    /// Bytes of a logical sector.
    pub sector_size: u32,
    /// Model name.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// World-wide name: `0x…`, `eui.…` or `uuid.…`.
    pub wwn: Option<String>,
    /// How it is attached: `nvme`, `sata`, `sas`, `usb`, `virtio`, `iscsi`, `fc`, `mmc`, `loop`…
    pub transport: Option<&'static str>,
    /// Whether it has spinning platters, as far as it admits that.
    pub rotational: bool,
    /// Whether its medium can be taken out.
    pub removable: bool,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// What it is made of, if it is not one disk by itself.
    pub made_of: Option<Composed>,
    /// The multipath device that it is a path of; systems are installed to that.
    pub path_of: Option<PathBuf>,
    /// What is on it; `None` if it cannot be read.
    pub content: Option<Content>,
    /// Who uses it, one sentence each.
    pub busy: Vec<String>,
}

#[cfg(test)]
impl DiskInfo {
    /// A disk of which nothing else is known.
    pub(crate) fn for_tests(path: &str, size: u64) -> Self {
        Self {
            path: path.into(),
            links: Vec::new(),
            size,
            sector_size: 512,
            model: None,
            serial: None,
            wwn: None,
            transport: None,
            rotational: false,
            removable: false,
            read_only: false,
            made_of: None,
            path_of: None,
            content: None,
            busy: Vec::new(),
        }
    }
}

/// Lists the disks, by name.
pub fn disks() -> io::Result<Vec<DiskInfo>> {
    Kernel::default().disks()
}

impl Kernel {
    pub(super) fn disks(&self) -> io::Result<Vec<DiskInfo>> {
        let mut disks = Vec::new();
        for dir in list(&self.sys.join("block"))? {
            let name = dir.file_name().unwrap_or_default().to_string_lossy();
            if !NOT_DISKS.iter().any(|kind| name.starts_with(kind))
                && let Some(disk) = self.disk(&dir)
            {
                disks.push(disk);
            }
        }
        Ok(disks)
    }

    /// One disk; `None` if it has no size (an empty card reader, a free loop device) or has gone.
    fn disk(&self, dir: &Path) -> Option<DiskInfo> {
        let size = number(&dir.join("size"))?.checked_mul(SYSFS_SECTOR)?;
        if size == 0 {
            return None;
        }
        let path = dev_path(dir);
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let made_of = self.composed(dir);
        if made_of.is_none() && COMPOSED.iter().any(|kind| name.starts_with(kind)) {
            return None;
        }
        // What a multipath device is, any of its paths tells.
        let wwid = made_of.as_ref().and_then(|made_of| made_of.wwid.clone());
        let paths = match wwid {
            Some(_) => list(&dir.join("slaves")).unwrap_or_default(),
            None => Vec::new(),
        };
        let dir_of_disk = paths.first().map_or(dir, PathBuf::as_path);
        let sector_size = number(&dir.join("queue/logical_block_size"))
            .and_then(|bytes| u32::try_from(bytes).ok())
            .unwrap_or(512);
        let busy = match text(&dir.join("dev")).map(|number| self.uses(&number)) {
            Some(Ok(uses)) => uses.iter().map(Use::to_string).collect(),
            _ => Vec::new(),
        };
        let flag = |name: &str| number(&dir.join(name)) == Some(1);
        Some(DiskInfo {
            links: links(&path),
            model: text(&dir_of_disk.join("device/model"))
                .or_else(|| text(&dir_of_disk.join("device/name"))),
            serial: serial(dir_of_disk),
            wwn: wwid.as_deref().map(wwn_of).or_else(|| wwn(dir)),
            transport: transport(dir_of_disk),
            rotational: flag("queue/rotational"),
            removable: flag("removable"),
            read_only: flag("ro"),
            made_of,
            path_of: self.multipath_of(dir),
            content: content_of(&path, size, sector_size).ok(),
            path,
            size,
            sector_size,
            busy,
        })
    }
}

fn content_of(path: &Path, len: u64, sector: u32) -> io::Result<Content> {
    content::look(&Glance {
        file: File::open(path)?,
        len,
        sector: SectorSize::from_bytes(sector).ok_or(io::ErrorKind::Unsupported)?,
    })
}

/// A file's text, without the blanks that fill it up; `None` if it is not there or empty.
fn text(path: &Path) -> Option<String> {
    printable(&fs::read(path).ok()?)
}

fn printable(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

/// virtio and NVMe tell it as text, SCSI as the vital product data page "unit serial number":
/// four bytes of header, the last two of which are the length.
fn serial(dir: &Path) -> Option<String> {
    text(&dir.join("serial"))
        .or_else(|| text(&dir.join("device/serial")))
        .or_else(|| {
            let page = fs::read(dir.join("device/vpd_pg80")).ok()?;
            let len = usize::from(u16::from_be_bytes([*page.get(2)?, *page.get(3)?]));
            let rest = page.get(4..)?;
            printable(rest.get(..len).unwrap_or(rest))
        })
}

/// As people know it: SCSI's `naa.…` is written `0x…`; what is made of vendor and model only
/// (`t10.…`, `nvme.…`) is no world-wide name.
fn wwn(dir: &Path) -> Option<String> {
    let id = text(&dir.join("wwid")).or_else(|| text(&dir.join("device/wwid")))?;
    match id.split_once('.') {
        Some(("naa", hex)) => Some(format!("0x{hex}")),
        Some(("eui" | "uuid", _)) => Some(id),
        _ => None,
    }
}

/// By the devices on the way to the disk.
fn transport(dir: &Path) -> Option<&'static str> {
    let name = dir.file_name()?.to_string_lossy();
    if name.starts_with("loop") {
        return Some("loop");
    }
    if name.starts_with("mmcblk") {
        return Some("mmc");
    }
    if name.starts_with("nvme") {
        return Some(match text(&dir.join("device/transport")).as_deref() {
            Some("tcp") => "nvme-tcp",
            Some("rdma") => "nvme-rdma",
            Some("fc") => "nvme-fc",
            _ => "nvme",
        });
    }
    const BUSES: [(&str, &str); 8] = [
        ("usb", "usb"),
        ("session", "iscsi"),
        ("rport-", "fc"),
        ("end_device-", "sas"),
        ("ata", "sata"),
        ("virtio", "virtio"),
        ("vbd-", "xen"),
        ("VMBUS:", "hyperv"),
    ];
    let way = fs::canonicalize(dir).ok()?;
    BUSES.into_iter().find_map(|(start, bus)| {
        let mut steps = way.iter().map(|step| step.to_string_lossy());
        // `ata1`, `usb2`, but not `ata_port`.
        steps
            .any(|step| {
                step.strip_prefix(start)
                    .is_some_and(|rest| !start.ends_with(char::is_alphabetic) || is_number(rest))
            })
            .then_some(bus)
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn links(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in LINKS {
        // Without udev there is no such directory.
        for link in list(Path::new(dir)).unwrap_or_default() {
            if fs::canonicalize(&link).is_ok_and(|target| target == path) {
                found.push(link);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
