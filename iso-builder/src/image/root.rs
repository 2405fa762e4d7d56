//! The root file system of an image, read without mounting: single files of it, by path. ext4 by
//! the `ext4-view` crate; other file systems are told by name.

use embed::ostree::BootLink;
use ext4_view::{Ext4, Ext4Error};

use super::ROOT_PARTITION;
use super::boot::claimed_bytes;
use super::probe::{FileSystem, probe};
use super::table::Partition;

/// Why a file of the root file system cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Not ext4.
    #[error("the root file system of the image is {}; only ext4 is read", .0.map_or("unknown", FileSystem::name))]
    FileSystem(Option<FileSystem>),
    /// Larger than the partition that it is in.
    #[error("the root file system is larger than its partition")]
    Truncated,
    /// No deployment where the kernel arguments say.
    #[error("the root file system has no OSTree deployment `/{0}`")]
    NoDeployment(String),
    /// A file of a size that no such file has.
    #[error("`{path}` of the root file system is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// The file system cannot be read.
    #[error("cannot read `{path}` of the root file system")]
    Read {
        /// What was read.
        path: String,
        /// Why it failed.
        #[source]
        source: Box<Ext4Error>,
    },
}

/// An opened root file system.
#[derive(Debug)]
pub struct RootFiles {
    fs: Ext4,
    /// Directory that becomes the root, without a `/` at its end.
    top: String,
}

impl RootFiles {
    /// Opens the file system of the root partition; of an OSTree system, its `deployment`.
    pub(super) fn open(
        partitions: &[Partition],
        deployment: Option<&BootLink>,
    ) -> Result<Self, RootError> {
        let root = partitions
            .iter()
            .find(|partition| partition.name == ROOT_PARTITION);
        let root = root.ok_or(RootError::FileSystem(None))?;
        match probe(&root.window) {
            Some((FileSystem::Ext, _)) => {}
            other => return Err(RootError::FileSystem(other.map(|(kind, _)| kind))),
        }
        if claimed_bytes(&root.window).is_none_or(|claimed| claimed > root.window.len()) {
            return Err(RootError::Truncated);
        }
        let fs = Ext4::load(Box::new(root.window.clone())).map_err(|e| read_error("/", e))?;
        let Some(link) = deployment else {
            let top = String::new();
            return Ok(Self { fs, top });
        };
        let top = format!("/{}", link.path());
        match fs.metadata(top.as_str()) {
            Ok(found) if found.is_dir() => Ok(Self { fs, top }),
            Ok(_) | Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => {
                Err(RootError::NoDeployment(link.path().to_owned()))
            }
            Err(error) => Err(read_error(&top, error)),
        }
    }

    /// The file at `path` (absolute, links followed), of at most `limit` bytes; `None` when there
    /// is none.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, RootError> {
        let path = &format!("{}{path}", self.top);
        let file = match self.fs.metadata(path.as_str()) {
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(None),
            other => other.map_err(|e| read_error(path, e))?,
        };
        if file.len() > limit {
            return Err(RootError::TooLarge {
                path: path.clone(),
                limit,
            });
        }
        let bytes = self
            .fs
            .read(path.as_str())
            .map_err(|e| read_error(path, e))?;
        Ok(Some(bytes))
    }
}

fn read_error(path: &str, source: Ext4Error) -> RootError {
    RootError::Read {
        path: path.to_owned(),
        source: Box::new(source),
    }
}
