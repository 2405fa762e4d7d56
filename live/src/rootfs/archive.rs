//! Reads the rootfs archive's headers: where the squashfs is, and of which version it is.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use embed::contract::initrd;
use embed::initrd::newc;

use super::{RootfsError, compare_versions};
use crate::superblock::{self, Kind};

/// Where the squashfs is in its file, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Squashfs {
    pub(super) offset: u64,
    /// 0: to the end.
    pub(super) length: u64,
}

/// Finds the squashfs in `archive` and checks the version that follows it.
pub(super) fn locate_squashfs(archive: &Path, version: &str) -> Result<Squashfs, RootfsError> {
    let io_error = |source| RootfsError::Io {
        path: archive.to_owned(),
        source,
    };
    let cpio_error = |source| RootfsError::Cpio {
        path: archive.to_owned(),
        source,
    };
    let wrong = |reason| RootfsError::Archive {
        path: archive.to_owned(),
        reason,
    };
    let mut file = File::open(archive).map_err(io_error)?;
    if let Some(bare) = superblock::read(&mut file, 0).map_err(io_error)?
        && bare.kind == Kind::Squashfs
    {
        return Ok(Squashfs {
            offset: 0,
            length: 0,
        });
    }
    file.rewind().map_err(io_error)?;
    let first = newc::read_entry(&mut file)
        .map_err(cpio_error)?
        .ok_or_else(|| wrong("it is empty"))?;
    if first.name != initrd::SQUASHFS || first.size == 0 {
        return Err(wrong("its first member is not root.squashfs"));
    }
    let end = initrd::SQUASHFS_OFFSET
        .checked_add(first.size)
        .ok_or_else(|| wrong("its size overflows"))?;
    file.seek(SeekFrom::Start(end.next_multiple_of(4)))
        .map_err(io_error)?;
    while let Some(entry) = newc::read_entry(&mut file).map_err(cpio_error)? {
        if entry.name == initrd::ROOTFS_STAMP {
            let mut stamp = Vec::new();
            file.take(entry.size.min(4096))
                .read_to_end(&mut stamp)
                .map_err(io_error)?;
            compare_versions(&String::from_utf8_lossy(&stamp), version)?;
            return Ok(Squashfs {
                offset: initrd::SQUASHFS_OFFSET,
                length: first.size,
            });
        }
        let padded = i64::try_from(entry.size.next_multiple_of(4))
            .map_err(|_| wrong("its size overflows"))?;
        file.seek(SeekFrom::Current(padded)).map_err(io_error)?;
    }
    Err(wrong("it holds no version"))
}
