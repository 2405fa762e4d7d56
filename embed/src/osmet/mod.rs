//! Osmet files: a raw image as the files of an OSTree repository that its file systems hold, and
//! the rest of its bytes, compressed. With a live system's repository the image comes out again, and no
//! second copy of the operating system is needed for an install without a network.
//!
//! Format version 1 of upstream's `pack osmet`. Where files and objects are is not known here, only
//! bytes are; whether the image is the right one is decided by its digest, which is the caller's to check.

mod codec;
mod pack;
mod unpack;

use std::io;

use crate::bincode::BincodeError;
use crate::digest::Sha256Digest;

pub use unpack::{Objects, Unpacked};

/// Why an osmet file cannot be read, written or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OsmetError {
    /// Bytes that are no osmet file.
    #[error("not an OSMET file")]
    Magic,
    /// A file of another version of the format.
    #[error("incompatible OSMET file version {found}, made by {made_by}; 1 is known")]
    Version {
        /// Version of the format.
        found: u32,
        /// Version of the program that wrote it.
        made_by: String,
    },
    /// Values that cannot be read.
    #[error("the osmet file is damaged")]
    Values(#[source] BincodeError),
    /// Values that do not fit together.
    #[error("the osmet file is damaged: {0}")]
    Layout(&'static str),
    /// More of them than any real file has.
    #[error("the osmet file lists more than {limit} extents")]
    TooMany {
        /// What is accepted.
        limit: usize,
    },
    /// An object that cannot be read.
    #[error("cannot read object {object} of the OSTree repository")]
    Object {
        /// Its name.
        object: Sha256Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The rest of the image is damaged or has another length.
    #[error("the packed part of the osmet file is damaged")]
    Packed(#[source] io::Error),
    /// The image or the output failed while packing.
    #[error("cannot pack the image")]
    Io(#[source] io::Error),
    /// What was packed does not come out again.
    #[error("the image has sha256 {want}, and what was packed {got}")]
    Digest {
        /// Of the image.
        want: Sha256Digest,
        /// Of what came out.
        got: Sha256Digest,
    },
}

/// What an osmet file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the program that wrote the file.
    pub made_by: String,
    /// Sector size of the image, bytes.
    pub sector_size: u32,
    /// The operating system, for people.
    pub description: String,
    /// Machine architecture as `uname -m` prints it.
    pub architecture: String,
}

/// How to make a raw image out of objects and the packed rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Osmet {
    /// In the order of the disk, free of overlaps.
    pub partitions: Vec<Partition>,
    /// Of the image.
    pub sha256: Sha256Digest,
    /// Of the image, bytes.
    pub size: u64,
}

/// A partition whose files were looked at. Places are bytes of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its first byte.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
    /// In the order of the disk, free of overlaps.
    pub mappings: Vec<Mapping>,
}

/// Bytes of a partition that an object has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where they begin in the object.
    pub logical: u64,
    /// Where they begin in the partition.
    pub physical: u64,
    /// How many there are. Where the object is shorter they are zeroes.
    pub length: u64,
    /// Name of the object.
    pub object: Sha256Digest,
}

impl Osmet {
    /// Whether partitions and mappings are in order and within their bounds.
    fn check(&self) -> Result<(), OsmetError> {
        if self.partitions.is_empty() {
            return Err(OsmetError::Layout("it has no partitions"));
        }
        let mut end = 0;
        for partition in &self.partitions {
            if partition.start < end || partition.end < partition.start {
                return Err(OsmetError::Layout("partitions overlap"));
            }
            end = partition.end;
            partition.check()?;
        }
        match end > self.size {
            true => Err(OsmetError::Layout("a partition lies beyond the image")),
            false => Ok(()),
        }
    }
}

impl Partition {
    fn check(&self) -> Result<(), OsmetError> {
        let mut end = 0;
        for mapping in &self.mappings {
            if mapping.physical < end {
                return Err(OsmetError::Layout("extents overlap"));
            }
            let behind = mapping.physical.checked_add(mapping.length);
            end = behind
                .filter(|end| *end <= self.end - self.start)
                .ok_or(OsmetError::Layout("an extent lies beyond its partition"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
