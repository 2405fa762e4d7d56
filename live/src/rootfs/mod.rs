//! Brings the live root: finds or fetches the rootfs archive, mounts the squashfs in it, the OS
//! image's root partition in that, and an overlay over it on `/sysroot`; then writes down what was
//! booted. Everything stays mounted under `/run/coreos-live` in the real root.
//!
//! The archive is a newc cpio whose first member is the squashfs (`docs/src/os-contract.md`).

mod archive;
mod obtain;
mod root;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use embed::contract::{initrd, karg};
use embed::gpt::TableError;
use embed::initrd::InitrdError;
use embed::kargs::Kargs;
use embed::stream_hash::StreamHashError;

pub use obtain::obtain;
pub use root::mount_root;

use crate::discover::DiscoverError;
use crate::fetch::FetchError;
use crate::memory::TooSmall;
use crate::mount::MountError;

/// Where [`obtain`] leaves the archive (or the bare squashfs of a second initrd).
const ARCHIVE: &str = "/run/coreos-live/rootfs.img";
/// Longest text file of the initramfs that is read, bytes.
const TEXT_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no live root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootfsError {
    /// Nothing says where it is.
    #[error(
        "no rootfs: none in the initramfs, and neither {} nor {} is given",
        karg::LIVE_ISO,
        karg::LIVE_ROOTFS_URL
    )]
    NoSource,
    /// A second initrd was unpacked only in part.
    #[error(
        "rootfs in the initramfs is incomplete: {} is there and {} is not",
        initrd::SQUASHFS,
        initrd::ROOTFS_STAMP
    )]
    Incomplete,
    /// The two halves come from different builds.
    #[error("rootfs is of version `{rootfs}`, the initramfs of `{initramfs}`")]
    Version {
        /// Stamp in the rootfs.
        rootfs: String,
        /// Stamp in the initramfs.
        initramfs: String,
    },
    /// The list of chunk hashes in the initramfs is damaged.
    #[error("bad /{}", initrd::WANT_ROOTFS)]
    Want(#[source] StreamHashError),
    /// It does not fit into memory.
    #[error(transparent)]
    Memory(#[from] TooSmall),
    /// The ISO was not found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The download failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The archive is not as it should be.
    #[error("{} is not a live rootfs: {reason}", .path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The archive's headers are damaged.
    #[error("{} is not a live rootfs", .path.display())]
    Cpio {
        /// The file.
        path: PathBuf,
        /// Reason.
        #[source]
        source: InitrdError,
    },
    /// The disk image in the archive has no usable table.
    #[error("cannot read the partition table of {}", .path.display())]
    Table {
        /// The image.
        path: PathBuf,
        /// Reason.
        #[source]
        source: TableError,
    },
    /// A file could not be read or written.
    #[error("cannot access {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// A mount failed.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The deployment that the kernel arguments name is not there.
    #[error("the image has no OSTree deployment /{link}")]
    Deployment {
        /// The link that leads to it.
        link: String,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// A document in the initramfs is damaged.
    #[error("bad /{}", initrd::LIVE_IMAGE)]
    Image(#[source] serde_json::Error),
}

/// Where the rootfs comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The ISO with this label.
    Iso(String),
    /// Unpacked by the kernel from a second initrd.
    Initrd,
    /// A server; the others stand in for the first.
    Urls(Vec<String>),
}

impl Source {
    /// Decides from the kernel arguments and whether `/root.squashfs` is there.
    pub fn choose(kargs: &Kargs, unpacked: bool) -> Option<Self> {
        if let Some(label) = kargs.last(karg::LIVE_ISO) {
            return Some(Self::Iso(label.to_owned()));
        }
        if unpacked {
            return Some(Self::Initrd);
        }
        let urls = kargs.tried(karg::LIVE_ROOTFS_URL);
        (!urls.is_empty()).then(|| Self::Urls(urls.into_iter().map(str::to_owned).collect()))
    }
}

fn initramfs_version() -> Result<String, RootfsError> {
    read_text(&Path::new("/").join(initrd::LIVE_STAMP))
}

fn compare_versions(rootfs: &str, initramfs: &str) -> Result<(), RootfsError> {
    let (rootfs, initramfs) = (rootfs.trim(), initramfs.trim());
    if rootfs == initramfs {
        return Ok(());
    }
    Err(RootfsError::Version {
        rootfs: rootfs.to_owned(),
        initramfs: initramfs.to_owned(),
    })
}

fn read_text(path: &Path) -> Result<String, RootfsError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(TEXT_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| RootfsError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
