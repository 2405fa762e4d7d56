//! CoreOS live ISO images, read and edited in place: the ISO 9660 tree, the initrd embed area,
//! the kernel argument areas, and the smaller image that can be taken out of a full one.
//!
//! Edits are same-size overwrites ([`Region`]), so in place, to a new file and to a pipe share one
//! path. Writing whole ISO images is the media builder's job.

mod eltorito;
mod inspect;
mod kargs_area;
mod live;
mod minimal;
mod reader;
mod region;
#[cfg(test)]
mod sample;
mod tree;

pub use eltorito::{BootEntry, Platform};
pub use inspect::{Descriptor, RootDirectory};
pub use kargs_area::KargsPlace;
pub use live::{Directives, Features, LiveIso};
pub use minimal::{MinimalError, MinimalIso, Packed};
pub use reader::{Extent, IsoReader};
pub use region::{Region, apply_in_place, copy_with};
pub use tree::TreeEntry;

use crate::initrd::InitrdError;

/// Why an ISO image, or an edit of it, was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IsoError {
    /// The file could not be read.
    #[error("cannot read ISO image")]
    Io(#[source] std::io::Error),
    /// Not ISO 9660, or broken.
    #[error("not an ISO 9660 image: {0}")]
    Format(&'static str),
    /// Shorter than its own header says.
    #[error("ISO image is incomplete: {have} of {want} bytes")]
    Incomplete {
        /// Bytes there.
        have: u64,
        /// Bytes that the volume descriptor promises.
        want: u64,
    },
    /// A file that should be there is not.
    #[error("ISO image has no file `{0}`")]
    NoFile(String),
    /// An ISO 9660 image without the areas of a CoreOS live image.
    #[error("Unrecognized CoreOS ISO image: {0}")]
    NotLive(&'static str),
    /// One of the JSON files that describe the areas.
    #[error("cannot read `{path}` of the ISO image")]
    Json {
        /// Path in the image.
        path: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// An area's place or size makes no sense.
    #[error("ISO image has a corrupt {what}: {why}")]
    Area {
        /// `embed area` or `kernel argument area`.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The content of the embed area is no initrd.
    #[error("cannot read the embed area of the ISO image")]
    Embedded(#[source] InitrdError),
    /// What should be embedded is larger than the area.
    #[error("embedded content of {size} bytes is too large for the embed area of {area} bytes")]
    TooLarge {
        /// Compressed size, bytes.
        size: u64,
        /// Area, bytes.
        area: u64,
    },
    /// Kernel arguments longer than their area.
    #[error("kargs too large for area: {size} bytes, the area holds {area}")]
    KargsTooLarge {
        /// Text, bytes.
        size: usize,
        /// Longest text that fits, bytes.
        area: usize,
    },
    /// A kernel argument with the byte that ends the text of an area.
    #[error("a kernel argument contains the character that ends the list")]
    KargsEnd,
    /// An image made without kernel argument areas.
    #[error("No karg embed areas found")]
    NoKargsArea,
}
