//! Keeps what streams publish as media that sites serve: `DIR/STREAM/ARCH/RELEASE/` with a
//! manifest, and `index.json`, which names the current build. From servers, or from a bundle where
//! there is no internet.
//!
//! Nothing unverified gets there: files are gathered under a hidden name, each is checked by its
//! OpenPGP signature, and only a [`VerifiedBuild`] can be given its name, whole and at once.

mod build;
mod bundle;
mod error;
mod fetch;
mod hold;
mod index;
mod name;
mod publish;
mod shelf;

pub use build::VerifiedBuild;
pub use bundle::{export, import};
pub use error::{BundleFault, MirrorError};
pub use fetch::{Wanted, fetch};
pub use hold::Hold;
pub use index::{Index, IndexError};
pub use name::{NameError, PlainName};
pub use publish::Kept;
pub use shelf::Shelf;

/// What a stream or a bundle offers.
#[derive(Debug)]
pub enum Found {
    /// A build that is in the mirror already.
    There(PlainName),
    /// A build that is not, verified.
    New(Box<VerifiedBuild>),
}

/// Name of a build's manifest in its directory.
pub const MANIFEST: &str = "manifest.json";
