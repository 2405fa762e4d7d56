//! Initrd archives: newc cpio written and read, compressed members, concatenations.
//!
//! [`newc`] is the format itself, [`walk`] goes through a whole initrd as the kernel does,
//! [`Archive`] is a small set of files held in memory (a config, keyfiles, stamps).
//! Format: Linux `Documentation/driver-api/early-userspace/buffer-format.rst`.

mod archive;
pub mod newc;
mod walk;

pub use archive::{Archive, relative_path};
pub use walk::{Limits, walk};

/// Why an initrd was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitrdError {
    /// The source could not be read, or a compressed member is broken.
    #[error("cannot read initrd")]
    Io(#[source] std::io::Error),
    /// Neither cpio nor a compression that is known.
    #[error("initrd member starts with unknown bytes {0:02x?}")]
    UnknownMember(Vec<u8>),
    /// A compression that Linux knows and this program does not read.
    #[error("initrd member is compressed with {0}, which is not supported; gzip, xz and zstd are")]
    Compression(&'static str),
    /// A cpio header that is none.
    #[error("initrd holds a cpio entry with a bad header: {0}")]
    Header(&'static str),
    /// Bytes after a compressed archive's end.
    #[error("compressed initrd member has data after the end of its archive")]
    Trailing,
    /// More than [`Limits`] allow.
    #[error("initrd is larger than the limit: {what} over {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// The limit, bytes or entries.
        limit: u64,
    },
    /// An entry whose name leaves the archive's root.
    #[error("initrd entry `{0}` leaves the root of the archive (path traversal)")]
    Traversal(String),
}
