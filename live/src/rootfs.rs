//! Brings the live root: finds or fetches the rootfs archive, mounts the squashfs in it, the OS
//! image's root partition in that, and an overlay over it on `/sysroot`; then writes down what was
//! booted. Everything stays mounted under `/run/coreos-live` in the real root.
//!
//! The archive is a newc cpio whose first member is the squashfs (`docs/src/os-contract.md`).

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use embed::contract::{initrd, iso, karg, run};
use embed::initrd::{InitrdError, newc};
use embed::kargs::Kargs;
use embed::medium::{LiveImage, LiveMedium};
use embed::stream_hash::{StreamHash, StreamHashError};

use crate::console::Consoles;
use crate::discover::{Devices, DiscoverError, PATIENCE};
use crate::fetch::{self, FetchError, Notice, Policy};
use crate::gpt::{GptError, Table};
use crate::memory::{Memory, TooSmall};
use crate::mount::{self, MountError};
use crate::superblock::{self, Kind};

/// Where the archive (or the bare squashfs of a second initrd) is found by [`mount_root`].
const ARCHIVE: &str = "/run/coreos-live/rootfs.img";
/// Longest text file of the initramfs that is read, bytes.
const TEXT_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no live root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootfsError {
    /// Nothing says where it is.
    #[error("no rootfs: none in the initramfs, and neither {} nor {} is given", karg::LIVE_ISO, karg::LIVE_ROOTFS_URL)]
    NoSource,
    /// A second initrd was unpacked only in part.
    #[error("rootfs in the initramfs is incomplete: {} is there and {} is not", initrd::SQUASHFS, initrd::ROOTFS_STAMP)]
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
        source: GptError,
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
    /// A web server.
    Url(String),
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
        kargs.last(karg::LIVE_ROOTFS_URL).map(|url| Self::Url(url.to_owned()))
    }
}

/// Makes the rootfs available at a fixed place, from wherever it comes.
pub fn obtain(kargs: &Kargs, consoles: &Consoles) -> Result<(), RootfsError> {
    let unpacked = Path::new("/").join(initrd::SQUASHFS);
    let file = match Source::choose(kargs, unpacked.exists()).ok_or(RootfsError::NoSource)? {
        Source::Iso(label) => {
            consoles.line(&format!("rootfs: looking for the ISO labelled {label}"));
            let mounted = Path::new(run::LIVE_DIR).join("iso");
            Devices::default().wait(&label, PATIENCE)?.mount(&mounted)?;
            mounted.join(iso::ROOTFS)
        }
        Source::Initrd => {
            let stamp = Path::new("/").join(initrd::ROOTFS_STAMP);
            let Ok(version) = fs::read_to_string(stamp) else { return Err(RootfsError::Incomplete) };
            compare_versions(&version, &initramfs_version()?)?;
            unpacked
        }
        Source::Url(url) => download(&url, consoles)?,
    };
    std::os::unix::fs::symlink(&file, ARCHIVE).map_err(|source| RootfsError::Io { path: ARCHIVE.into(), source })
}

fn download(url: &str, consoles: &Consoles) -> Result<PathBuf, RootfsError> {
    let want = StreamHash::parse(&read_text(&Path::new("/").join(initrd::WANT_ROOTFS))?).map_err(RootfsError::Want)?;
    let size = (want.chunks() as u64).saturating_mul(want.chunk_size() as u64);
    Memory::parse(&read_text(Path::new("/proc/meminfo"))?).check(size)?;
    let dir = Path::new(run::LIVE_DIR).join("ram");
    mount::memory(&dir, Some(size.saturating_add(want.chunk_size() as u64)))?;
    let path = dir.join("rootfs.img");
    let mut file = File::create(&path).map_err(|source| RootfsError::Io { path: path.clone(), source })?;
    consoles.line(&format!("rootfs: fetching {url}"));
    let mut shown = 0;
    let length = fetch::fetch(&fetch::client()?, url, &want, &mut file, Policy::ROOTFS, |notice| match notice {
        Notice::Chunks { done, total } if done * 4 / total > shown => {
            shown = done * 4 / total;
            consoles.line(&format!("rootfs: {}%", shown * 25));
        }
        Notice::Chunks { .. } => {}
        Notice::Retry(error) => consoles.line(&format!("rootfs: {}; trying again", chain(error))),
    })?;
    consoles.line(&format!("rootfs: {} MiB verified", length / 1024 / 1024));
    Ok(path)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Where the squashfs is in its file, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Squashfs {
    offset: u64,
    /// 0: to the end.
    length: u64,
}

/// Mounts the root of the obtained rootfs on `sysroot` and writes down what was booted.
pub fn mount_root(sysroot: &Path) -> Result<LiveMedium, RootfsError> {
    let live = Path::new(run::LIVE_DIR);
    let archive = Path::new(ARCHIVE);
    let squashfs = locate_squashfs(archive, &initramfs_version()?)?;
    let images = live.join("image");
    mount::part_of(archive, squashfs.offset, squashfs.length, &images, Kind::Squashfs)?;
    let image: LiveImage =
        serde_json::from_str(&read_text(&Path::new("/").join(initrd::LIVE_IMAGE))?).map_err(RootfsError::Image)?;
    let medium = LiveMedium { image, path: images.join(initrd::DISK_IMAGE) };
    mount_image_root(&medium, &live.join("root"))?;
    let layer = live.join("rw");
    mount::memory(&layer, None)?;
    mount::overlay(&live.join("root"), &layer.join("upper"), &layer.join("work"), sysroot)?;
    write_medium(&medium)?;
    Ok(medium)
}

/// Finds the squashfs in `archive` and checks the version that follows it.
fn locate_squashfs(archive: &Path, version: &str) -> Result<Squashfs, RootfsError> {
    let io_error = |source| RootfsError::Io { path: archive.to_owned(), source };
    let cpio_error = |source| RootfsError::Cpio { path: archive.to_owned(), source };
    let wrong = |reason| RootfsError::Archive { path: archive.to_owned(), reason };
    let mut file = File::open(archive).map_err(io_error)?;
    if let Some(bare) = superblock::read(&mut file, 0).map_err(io_error)?
        && bare.kind == Kind::Squashfs
    {
        return Ok(Squashfs { offset: 0, length: 0 });
    }
    file.rewind().map_err(io_error)?;
    let first = newc::read_entry(&mut file).map_err(cpio_error)?.ok_or_else(|| wrong("it is empty"))?;
    if first.name != initrd::SQUASHFS || first.size == 0 {
        return Err(wrong("its first member is not root.squashfs"));
    }
    let end = initrd::SQUASHFS_OFFSET.checked_add(first.size).ok_or_else(|| wrong("its size overflows"))?;
    file.seek(SeekFrom::Start(end.next_multiple_of(4))).map_err(io_error)?;
    while let Some(entry) = newc::read_entry(&mut file).map_err(cpio_error)? {
        if entry.name == initrd::ROOTFS_STAMP {
            let mut stamp = Vec::new();
            file.take(entry.size.min(4096)).read_to_end(&mut stamp).map_err(io_error)?;
            compare_versions(&String::from_utf8_lossy(&stamp), version)?;
            return Ok(Squashfs { offset: initrd::SQUASHFS_OFFSET, length: first.size });
        }
        let padded = i64::try_from(entry.size.next_multiple_of(4)).map_err(|_| wrong("its size overflows"))?;
        file.seek(SeekFrom::Current(padded)).map_err(io_error)?;
    }
    Err(wrong("it holds no version"))
}

fn mount_image_root(medium: &LiveMedium, target: &Path) -> Result<(), RootfsError> {
    let path = &medium.path;
    let io_error = |source| RootfsError::Io { path: path.clone(), source };
    let wrong = |reason| RootfsError::Archive { path: path.clone(), reason };
    let mut file = File::open(path).map_err(io_error)?;
    let size = file.metadata().map_err(io_error)?.len();
    if size != medium.image.size {
        return Err(wrong("its disk image does not have the size that the initramfs names"));
    }
    let table = Table::read(&mut file, medium.image.sector_size, size)
        .map_err(|source| RootfsError::Table { path: path.clone(), source })?;
    let root = table.find("root").ok_or_else(|| wrong("its disk image has no partition named root"))?;
    let kind = match superblock::read(&mut file, root.start).map_err(io_error)? {
        Some(superblock) => superblock.kind,
        None => return Err(wrong("its root partition has an unknown file system")),
    };
    Ok(mount::part_of(path, root.start, root.length, target, kind)?)
}

fn write_medium(medium: &LiveMedium) -> Result<(), RootfsError> {
    let write = |path: &Path, text: &str| -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        File::create(path)?.write_all(text.as_bytes())
    };
    let json = serde_json::to_string_pretty(medium).map_err(RootfsError::Image)?;
    let issue = Path::new("/run/issue.d/30-coreos-live.issue");
    for (path, text) in [(Path::new(run::MEDIUM), json), (issue, issue_text(&medium.image))] {
        write(path, &text).map_err(|source| RootfsError::Io { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// What the login prompt of a live system says; agetty fills in the addresses as they come.
fn issue_text(image: &LiveImage) -> String {
    format!(
        "\nThis is {} {} (live): it runs from memory and changes no disk by itself.\n\
         Addresses: \\4 \\6\n\
         To install it:  sudo coreos-installer install --ignition-file CONFIG.ign /dev/DISK\n\n",
        image.name, image.version
    )
}

fn initramfs_version() -> Result<String, RootfsError> {
    read_text(&Path::new("/").join(initrd::LIVE_STAMP))
}

fn compare_versions(rootfs: &str, initramfs: &str) -> Result<(), RootfsError> {
    let (rootfs, initramfs) = (rootfs.trim(), initramfs.trim());
    if rootfs == initramfs {
        return Ok(());
    }
    Err(RootfsError::Version { rootfs: rootfs.to_owned(), initramfs: initramfs.to_owned() })
}

fn read_text(path: &Path) -> Result<String, RootfsError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(TEXT_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| RootfsError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
