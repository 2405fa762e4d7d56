//! Where a file's data lies on its file system (FIEMAP, Documentation/filesystems/fiemap.rst of
//! Linux). Only extents whose bytes on the disk are those of the file are taken.

use std::fs::File;
use std::io;

use serde::Serialize;

use super::sys::{self, RawExtent};

/// Bytes of a file that lie together. Places are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Where they begin in the file.
    pub logical: u64,
    /// Where they begin on the device of the file system.
    pub physical: u64,
    /// How many there are; the last extent may be longer than the file.
    pub length: u64,
}

/// Why a file's extents cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtentsError {
    /// The file system does not tell.
    #[error("ioctl(FS_IOC_FIEMAP)")]
    Ioctl(#[source] io::Error),
    /// An extent whose bytes on the disk are others than those of the file.
    #[error("extent at byte {logical} is {what}")]
    Unusable {
        /// Where it begins in the file.
        logical: u64,
        /// What it is.
        what: &'static str,
    },
}

/// What an extent must not be (linux/fiemap.h).
const UNUSABLE: [(u32, &str); 6] = [
    (0x100, "not aligned"),
    (0x1000, "of a file system without extents"),
    (0x8, "encoded"),
    (0x4, "not allocated yet"),
    (0x800, "preallocated"),
    (0x2, "inaccessible"),
];

/// FIEMAP_EXTENT_LAST
const LAST: u32 = 0x1;

/// The extents of a file in its order. What the kernel has not written yet is written first.
pub fn extents(file: &File) -> Result<Vec<Extent>, ExtentsError> {
    let mut extents: Vec<Extent> = Vec::new();
    loop {
        let start = extents
            .last()
            .map_or(0, |extent| extent.logical.saturating_add(extent.length));
        let found = sys::extents_from(file, start).map_err(ExtentsError::Ioctl)?;
        let last = found.last().is_none_or(|extent| extent.flags & LAST != 0);
        for extent in found {
            extents.push(usable(&extent)?);
        }
        if last {
            return Ok(extents);
        }
    }
}

fn usable(extent: &RawExtent) -> Result<Extent, ExtentsError> {
    let unusable = UNUSABLE.iter().find(|(flag, _)| extent.flags & flag != 0);
    if let Some((_, what)) = unusable {
        let logical = extent.logical;
        return Err(ExtentsError::Unusable { logical, what });
    }
    Ok(Extent {
        logical: extent.logical,
        physical: extent.physical,
        length: extent.length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    /// More extents than the kernel gives at once.
    #[test]
    fn holes_are_left_out_and_all_extents_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let count = 3 * sys::EXTENTS_AT_ONCE as u64;
        for number in 0..count {
            let block = [7; 4096];
            file.as_file().write_all_at(&block, number * 65536).unwrap();
        }
        let extents = match extents(file.as_file()) {
            Err(ExtentsError::Ioctl(error)) if error.raw_os_error() == Some(95) => {
                eprintln!(
                    "SKIP: extents: the file system of {:?} has none",
                    file.path()
                );
                return;
            }
            extents => extents.unwrap(),
        };
        let of = |block: u64| {
            extents.iter().any(|extent| {
                let end = extent.logical + extent.length;
                extent.logical <= block * 65536 && block * 65536 + 4096 <= end
            })
        };
        assert!((0..count).all(of), "{extents:?}");
        let order = extents
            .windows(2)
            .all(|pair| pair[0].logical < pair[1].logical);
        assert!(order, "{extents:?}");
    }

    #[test]
    fn a_file_without_data_has_no_extents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        match extents(file.as_file()) {
            Err(ExtentsError::Ioctl(error)) if error.raw_os_error() == Some(95) => {
                eprintln!("SKIP: extents_of_nothing: the file system has none");
            }
            extents => assert_eq!(extents.unwrap(), []),
        }
    }

    #[test]
    fn an_extent_whose_bytes_are_not_the_files_is_refused() {
        for (flags, message) in [
            (0x2 | 0x4, "extent at byte 8 is not allocated yet"),
            (0x8, "extent at byte 8 is encoded"),
            (0x100 | 0x200, "extent at byte 8 is not aligned"),
            (0x800 | LAST, "extent at byte 8 is preallocated"),
        ] {
            let mut raw = RawExtent::default();
            (raw.logical, raw.flags) = (8, flags);
            assert_eq!(usable(&raw).unwrap_err().to_string(), message);
        }
        let mut shared = RawExtent::default();
        shared.flags = 0x2000 | LAST;
        assert!(usable(&shared).is_ok());
    }
}
