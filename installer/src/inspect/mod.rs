//! What is in an image or on a disk: partitions, operating system, boot entry, and whether a
//! machine's configuration was put there. Read without mounting, writing or believing anything.
//!
//! Nothing is verified here. A compressed image is unpacked into a temporary file first.

mod boot;
mod ext4;
mod os;
mod partitions;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cancel::Cancel;
use crate::decode::{self, Format};
use crate::disk::TableKind;
use crate::image::{SignaturePlace, Terms, unpack_verified};
use crate::observe::Observer;
use crate::pipeline::ImageError;
use crate::source::{Location, ManifestPlace};
use crate::verify::{Keyring, SignaturePolicy};

pub use boot::{BootFound, ConfigFound, EntryFound, FirstBootState};
pub use os::OsFound;
pub use partitions::PartitionFound;

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The image or disk.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image cannot be unpacked.
    #[error("cannot unpack {}", path.display())]
    Unpack {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: ImageError,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Inspection {
    /// Size of the disk or of the raw image, bytes.
    pub size: u64,
    /// How the image is compressed: `raw`, `gzip`, `xz` or `zstd`.
    pub format: String,
    /// The partition table.
    pub table: TableKind,
    /// Bytes of a sector that the partition table is made for; `None` without a GPT.
    pub sector_size: Option<u32>,
    /// Partitions by number.
    pub partitions: Vec<PartitionFound>,
    /// The operating system, if its root can be read.
    pub os: Option<OsFound>,
    /// What is on the boot partition, if there is one that can be read.
    pub boot: Option<BootFound>,
    /// What could not be read, and why: one sentence each.
    pub unread: Vec<String>,
}

/// Looks at the image or block device at `path`.
pub fn inspect(
    path: &Path,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Inspection, InspectError> {
    let at = |source| InspectError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    let kind = file.metadata().map_err(at)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let reason = "it is neither a file nor a block device";
        return Err(at(io::Error::new(io::ErrorKind::InvalidInput, reason)));
    }
    let format = match kind.is_file() {
        true => format_of(&file).map_err(at)?,
        false => Format::Raw,
    };
    let raw = match format {
        Format::Raw => file,
        _ => unpack(path, observer, cancel)?,
    };
    look(raw, format).map_err(at)
}

/// What the first bytes say. What is no image at all is left to the decoder's own words.
fn format_of(file: &File) -> io::Result<Format> {
    let mut start = Vec::new();
    file.take(decode::MAGIC_LEN as u64)
        .read_to_end(&mut start)?;
    Ok(match decode::format_of(&start) {
        _ if start.is_empty() => Format::Xz,
        Ok(format) => format,
        Err(_) => Format::Xz,
    })
}

/// The raw image, in a file without a name.
fn unpack(path: &Path, observer: &dyn Observer, cancel: &Cancel) -> Result<File, InspectError> {
    let failed = |source| InspectError::Unpack {
        path: path.to_owned(),
        source,
    };
    let out = tempfile::tempfile().map_err(|source| failed(ImageError::Write(source)))?;
    // Looking at an image needs nobody's word for it.
    let terms = Terms {
        manifest: &ManifestPlace::Beside,
        signature: SignaturePlace::Ignored,
        digest: None,
        policy: SignaturePolicy::TolerateAbsent,
        keyring: &Keyring::empty(),
    };
    let source = Location::File(path.to_owned());
    unpack_verified(&source, &terms, &out, observer, cancel).map_err(failed)?;
    Ok(out)
}

/// Looks at a raw image.
pub fn inspect_raw(raw: File) -> io::Result<Inspection> {
    look(raw, Format::Raw)
}

/// Looks at a raw image or a disk.
fn look(raw: File, format: Format) -> io::Result<Inspection> {
    let found = partitions::read(raw)?;
    let mut unread = Vec::new();
    let boot = boot::look(&found, &mut unread);
    let ostree = boot
        .as_ref()
        .and_then(|boot| boot.entry.as_ref())
        .and_then(|entry| entry.karg("ostree"));
    let os = os::look(&found, ostree, &mut unread);
    Ok(Inspection {
        size: found.size(),
        format: format.to_string(),
        table: found.table,
        sector_size: found.sector_size,
        partitions: found.partitions,
        os,
        boot,
        unread,
    })
}
