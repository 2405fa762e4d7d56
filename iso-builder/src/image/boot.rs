//! The boot partition of an image, read without mounting: the default boot loader entry, kernel
//! and initramfs. ext4 by the `ext4-view` crate; other file systems are refused by name.

use std::io::{self, Read, Write};

use embed::contract::boot as names;
use ext4_view::{Ext4, Ext4Error};
use installer::disk::Window;

use super::bls::{self, BlsEntry, BlsError};
use super::probe::{FileSystem, probe};
use super::table::Partition;

/// Most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 4096;
/// Largest kernel that is read, bytes.
const MAX_KERNEL: u64 = 256 << 20;
/// Largest initramfs that is read, bytes.
const MAX_INITRAMFS: u64 = 2 << 30;

/// Why nothing can be started from the boot partition.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// No file system with the label of a boot partition.
    #[error("image has no file system labelled `{label}`", label = names::LABEL)]
    NoPartition,
    /// More than one.
    #[error("image has {0} file systems labelled `{label}`", label = names::LABEL)]
    Ambiguous(usize),
    /// Not ext4.
    #[error("the boot partition of the image is {}; only ext4 is read", .0.name())]
    FileSystem(FileSystem),
    /// Larger than the partition that it is in.
    #[error("the boot file system claims {claimed} bytes, its partition has {size}")]
    Truncated {
        /// Bytes that the superblock claims.
        claimed: u64,
        /// Bytes of the partition.
        size: u64,
    },
    /// The directory of boot loader entries holds none.
    #[error("image has no boot loader entry in `{dir}` of its boot partition", dir = names::ENTRIES)]
    NoEntry,
    /// An entry that cannot be used.
    #[error("cannot use `{path}` of the boot partition")]
    Entry {
        /// The entry's path.
        path: String,
        /// What is wrong.
        #[source]
        source: BlsError,
    },
    /// A file that the entry names is not there.
    #[error("boot partition has no `{0}`, which its boot loader entry names")]
    NoFile(String),
    /// A file of a size that no such file has.
    #[error("`{path}` on the boot partition has {size} bytes; at most {limit} are accepted")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The file system cannot be read.
    #[error("cannot read `{path}` of the boot partition")]
    Read {
        /// What was read.
        path: String,
        /// Why it failed.
        #[source]
        source: Box<Ext4Error>,
    },
    /// What was read cannot be written down.
    #[error("cannot copy `{path}` of the boot partition")]
    Copy {
        /// What was copied.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// An opened boot partition.
#[derive(Debug)]
pub struct BootPartition {
    fs: Ext4,
}

impl BootPartition {
    /// Finds the boot partition by its file system's label and opens it.
    pub(super) fn find(partitions: &[Partition]) -> Result<Self, BootError> {
        let labelled = |partition: &&Partition| {
            probe(&partition.window).is_some_and(|(_, label)| label == names::LABEL)
        };
        let found: Vec<&Partition> = partitions.iter().filter(labelled).collect();
        let partition = match found.as_slice() {
            [] => return Err(BootError::NoPartition),
            [one] => one,
            more => return Err(BootError::Ambiguous(more.len())),
        };
        match probe(&partition.window) {
            Some((FileSystem::Ext, _)) => Self::open(&partition.window),
            Some((other, _)) => Err(BootError::FileSystem(other)),
            None => Err(BootError::NoPartition),
        }
    }

    fn open(window: &Window) -> Result<Self, BootError> {
        let claimed = claimed_bytes(window).unwrap_or(u64::MAX);
        if claimed > window.len() {
            return Err(BootError::Truncated {
                claimed,
                size: window.len(),
            });
        }
        let fs = Ext4::load(Box::new(window.clone())).map_err(|e| read_error("/", e))?;
        Ok(Self { fs })
    }

    /// The default boot loader entry: the lexically last one.
    pub fn entry(&self) -> Result<BlsEntry, BootError> {
        let dir = format!("/{}", names::ENTRIES);
        let listing = match self.fs.read_dir(dir.as_str()) {
            Err(Ext4Error::NotFound) => return Err(BootError::NoEntry),
            other => other.map_err(|e| read_error(&dir, e))?,
        };
        let mut newest: Option<String> = None;
        for item in listing.take(MAX_ENTRIES) {
            let item = item.map_err(|e| read_error(&dir, e))?;
            let name = item.file_name();
            let name = name.as_str().unwrap_or_default();
            if name.ends_with(".conf") && newest.as_deref().is_none_or(|last| last < name) {
                newest = Some(name.to_owned());
            }
        }
        let path = newest
            .map(|name| format!("{dir}/{name}"))
            .ok_or(BootError::NoEntry)?;
        let mut text = Vec::new();
        self.copy(&path, bls::MAX_BYTES, &mut text)?;
        BlsEntry::parse(&text).map_err(|source| BootError::Entry { path, source })
    }

    /// The kernel that `entry` names.
    pub fn kernel(&self, entry: &BlsEntry) -> Result<Vec<u8>, BootError> {
        let mut kernel = Vec::new();
        self.copy(&entry.linux, MAX_KERNEL, &mut kernel)?;
        Ok(kernel)
    }

    /// Copies the initrds that `entry` names to `out`, each starting at a multiple of 4 bytes as the
    /// kernel wants it.
    pub fn copy_initramfs(&self, entry: &BlsEntry, out: &mut dyn Write) -> Result<(), BootError> {
        for path in &entry.initrds {
            let size = self.copy(path, MAX_INITRAMFS, out)?;
            let padding = size.next_multiple_of(4).saturating_sub(size);
            let copied = io::copy(&mut io::repeat(0).take(padding), out);
            copied.map_err(|source| BootError::Copy {
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Copies the file at `path`, of at most `limit` bytes, to `out`; returns its size.
    fn copy(
        &self,
        path: &str,
        limit: u64,
        out: &mut (impl Write + ?Sized),
    ) -> Result<u64, BootError> {
        let mut file = match self.fs.open(path) {
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => {
                return Err(BootError::NoFile(path.to_owned()));
            }
            other => other.map_err(|e| read_error(path, e))?,
        };
        let size = file.metadata().len();
        if size > limit {
            return Err(BootError::TooLarge {
                path: path.to_owned(),
                size,
                limit,
            });
        }
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            let read = file
                .read_bytes(&mut buffer)
                .map_err(|e| read_error(path, e))?;
            if read == 0 {
                return Ok(size);
            }
            let copied = out.write_all(buffer.get(..read).unwrap_or_default());
            copied.map_err(|source| BootError::Copy {
                path: path.to_owned(),
                source,
            })?;
        }
    }
}

fn read_error(path: &str, source: Ext4Error) -> BootError {
    BootError::Read {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

/// Size of the file system by its superblock (`s_blocks_count_lo`, `s_log_block_size`): the reader
/// allocates by it, so it must not exceed the partition.
pub(super) fn claimed_bytes(window: &Window) -> Option<u64> {
    let mut superblock = [0u8; 28];
    window.read_exact_at(1024, &mut superblock).ok()?;
    let field = |at: usize| {
        superblock
            .get(at..at + 4)?
            .try_into()
            .ok()
            .map(u32::from_le_bytes)
    };
    let (blocks, log_size) = (u64::from(field(4)?), field(24)?);
    1024u64
        .checked_shl(log_size)
        .filter(|size| *size <= 64 * 1024)?
        .checked_mul(blocks)
}
