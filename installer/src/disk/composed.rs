//! Devices made of others, as sysfs tells of them: multipath devices and what kpartx maps on them,
//! RAID arrays. Known by the UUID that their tools give a device-mapper device, so neither udev
//! nor those tools are asked.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::busy::{Kernel, dev_path, list};

/// How the UUID of a multipath device begins; its WWID follows.
const MULTIPATH: &str = "mpath-";

/// What a disk is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Composed {
    /// `multipath`, or the level of a RAID: `raid1`…
    pub kind: String,
    /// Name in device-mapper, for example `mpatha`; a RAID has none.
    pub name: Option<String>,
    /// What multipath identifies the disk behind the paths by.
    pub wwid: Option<String>,
    /// The paths, or the members.
    pub parts: Vec<PathBuf>,
}

/// A device of device-mapper.
struct Mapped {
    name: String,
    uuid: String,
}

impl Mapped {
    /// By its directory in sysfs; `None` for every other kind of device.
    fn of(dir: &Path) -> Option<Self> {
        Some(Self {
            name: line(&dir.join("dm/name"))?,
            uuid: line(&dir.join("dm/uuid")).unwrap_or_default(),
        })
    }

    /// The UUID of the device that it is a partition of: kpartx names it `part1-…`.
    fn whole(&self) -> Option<&str> {
        let (number, whole) = self.uuid.strip_prefix("part")?.split_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        (is_number && !whole.is_empty()).then_some(whole)
    }
}

fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What something that is built on a disk or a partition is.
pub(super) enum Built {
    /// A multipath device, of which it is a path.
    Multipath(String),
    /// A partition of it, mapped by kpartx.
    Partition,
    /// Anything else.
    Other,
}

/// What `holder`, a directory in sysfs, is to the device whose directory is `below`.
pub(super) fn built(below: &Path, holder: &Path) -> Built {
    let Some(mapped) = Mapped::of(holder) else {
        return Built::Other;
    };
    if mapped.uuid.starts_with(MULTIPATH) {
        return Built::Multipath(mapped.name);
    }
    let below = Mapped::of(below);
    match (mapped.whole(), below) {
        (Some(whole), Some(below)) if whole == below.uuid => Built::Partition,
        _ => Built::Other,
    }
}

/// Whether the device with this directory is a partition that kpartx mapped.
pub(super) fn is_mapped_partition(dir: &Path) -> bool {
    Mapped::of(dir).is_some_and(|mapped| mapped.whole().is_some())
}

/// The directories of the partitions that kpartx mapped on the device with this directory.
pub(super) fn mapped_partitions(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut holders = list(&dir.join("holders"))?;
    holders.retain(|holder| matches!(built(dir, holder), Built::Partition));
    Ok(holders)
}

impl Kernel {
    /// What the device with this directory is made of, if it is one that systems are installed to.
    pub(super) fn composed(&self, dir: &Path) -> Option<Composed> {
        let mapped = Mapped::of(dir);
        let wwid = match &mapped {
            Some(mapped) => Some(mapped.uuid.strip_prefix(MULTIPATH)?.to_owned()),
            None => None,
        };
        let kind = match &wwid {
            Some(_) => "multipath".to_owned(),
            None => line(&dir.join("md/level"))?,
        };
        let parts = list(&dir.join("slaves")).unwrap_or_default();
        Some(Composed {
            kind,
            name: mapped.map(|mapped| mapped.name),
            wwid,
            parts: parts.iter().map(|part| dev_path(part)).collect(),
        })
    }

    /// The multipath device that the disk with this directory is a path of.
    pub(super) fn multipath_of(&self, dir: &Path) -> Option<PathBuf> {
        let holders = list(&dir.join("holders")).unwrap_or_default();
        let multipath = |holder: &&PathBuf| matches!(built(dir, holder), Built::Multipath(_));
        holders
            .iter()
            .find(multipath)
            .map(|holder| dev_path(holder))
    }
}

/// A WWID as the paths themselves write it: multipath puts the number of the kind of identifier
/// in front of what the SCSI vital product data say (3 is NAA, 2 is EUI-64).
pub(super) fn wwn_of(wwid: &str) -> String {
    let hex = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit());
    match (wwid.split_at_checked(1), wwid.len()) {
        (Some(("3", rest)), 17 | 33) if hex(rest) => format!("0x{rest}"),
        (Some(("2", rest)), 17) if hex(rest) => format!("eui.{rest}"),
        _ => wwid.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wwid_is_written_as_its_paths_write_it() {
        for (wwid, wwn) in [
            ("35000c500a1b2c3d4", "0x5000c500a1b2c3d4"),
            (
                "360014051234567890123456789012345",
                "0x60014051234567890123456789012345",
            ),
            ("20017380000000001", "eui.0017380000000001"),
            ("eui.0025388b71b2c3d4", "eui.0025388b71b2c3d4"),
            ("3no-hex-but-17-by", "3no-hex-but-17-by"),
            ("", ""),
        ] {
            assert_eq!(wwn_of(wwid), wwn);
        }
    }
}
