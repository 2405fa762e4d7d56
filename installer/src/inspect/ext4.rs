//! Files of an ext4 file system inside an image or disk, read without mounting it. Sizes are
//! limited by the caller, whatever the file system claims.

use ext4_view::{Ext4, Ext4Error, File};

use crate::disk::Window;

/// Most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 4096;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ext4ReadError {
    /// The file system is cut off.
    #[error("the file system claims {claimed} bytes, its partition has {size}")]
    Truncated { claimed: u64, size: u64 },
    /// A file of a size that no such file has.
    #[error("{path} has {size} bytes; at most {limit} are read")]
    TooLarge { path: String, size: u64, limit: u64 },
    /// The file system is damaged or of a kind that is not known.
    #[error("{path}: {source}")]
    Read {
        path: String,
        #[source]
        source: Box<Ext4Error>,
    },
}

/// An opened file system.
pub(super) struct Files(Ext4);

impl Files {
    pub(super) fn open(window: Window) -> Result<Self, Ext4ReadError> {
        // The reader allocates by what the superblock says.
        let claimed = claimed_bytes(&window).unwrap_or(u64::MAX);
        let size = window.len();
        if claimed > size {
            return Err(Ext4ReadError::Truncated { claimed, size });
        }
        Ext4::load(Box::new(window))
            .map(Self)
            .map_err(|e| failed("/", e))
    }

    /// The file at `path`, with its size; `None` if there is none.
    pub(super) fn file(&self, path: &str) -> Result<Option<(File, u64)>, Ext4ReadError> {
        match self.0.open(path) {
            Ok(file) => {
                let size = file.metadata().len();
                Ok(Some((file, size)))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Content of the file at `path`, of at most `limit` bytes; `None` if there is none.
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Ext4ReadError> {
        let Some((_, size)) = self.file(path)? else {
            return Ok(None);
        };
        if size > limit {
            return Err(Ext4ReadError::TooLarge {
                path: path.to_owned(),
                size,
                limit,
            });
        }
        let bytes = self.0.read(path).map_err(|e| failed(path, e))?;
        Ok(Some(bytes))
    }

    /// Like [`Files::read`], as text.
    pub(super) fn text(&self, path: &str, limit: u64) -> Result<Option<String>, Ext4ReadError> {
        let bytes = self.read(path, limit)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Names in the directory at `path`, sorted; none if there is no such directory.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>, Ext4ReadError> {
        let listing = match self.0.read_dir(path) {
            Ok(listing) => listing,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(path, error)),
        };
        let mut names = Vec::new();
        for entry in listing.take(MAX_ENTRIES) {
            let entry = entry.map_err(|e| failed(path, e))?;
            names.extend(entry.file_name().as_str().ok().map(str::to_owned));
        }
        names.retain(|name| name != "." && name != "..");
        names.sort_unstable();
        Ok(names)
    }
}

fn is_absent(error: &Ext4Error) -> bool {
    matches!(error, Ext4Error::NotFound | Ext4Error::NotADirectory)
}

fn failed(path: &str, source: Ext4Error) -> Ext4ReadError {
    Ext4ReadError::Read {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

/// Size of the file system by its superblock (`s_blocks_count_lo`, `s_log_block_size`).
fn claimed_bytes(window: &Window) -> Option<u64> {
    let mut superblock = [0u8; 28];
    window.read_exact_at(1024, &mut superblock).ok()?;
    let field = |at: usize| {
        let bytes = superblock.get(at..at + 4)?;
        bytes.try_into().ok().map(u32::from_le_bytes)
    };
    let (blocks, log_size) = (u64::from(field(4)?), field(24)?);
    1024u64
        .checked_shl(log_size)
        .filter(|size| *size <= 64 * 1024)?
        .checked_mul(blocks)
}
