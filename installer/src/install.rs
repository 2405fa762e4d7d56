//! The whole install: from a location to a disk that boots, or to a disk that says in what state
//! it was left. The order is [`crate::seal`]'s chain of types; this is the short runner around it.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cancel::Cancel;
use crate::disk::SaveFilter;
use crate::observe::Observer;
use crate::source::Location;
use crate::verify::{Keyring, SignaturePolicy, Trust};

/// Edits the boot partition of a freshly written system before its disk becomes bootable.
pub trait BootEditor: Send {
    /// Edits the mounted file system below `boot`. Called once, on a thread of its own that has
    /// its own mount namespace; the mount is gone when this returns.
    fn edit(&mut self, boot: &Path) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl<F> BootEditor for F
where
    F: FnMut(&Path) -> Result<(), Box<dyn Error + Send + Sync>> + Send,
{
    fn edit(&mut self, boot: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        self(boot)
    }
}

/// What to do with a half-written disk when the install fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Leave a table with the saved partitions and nothing else.
    #[default]
    Clear,
    /// Leave what was written, for a post-mortem (`--preserve-on-error`). The first MiB is never
    /// that of the image.
    Preserve,
}

/// Everything an install needs to know.
pub struct Request<'a> {
    /// The image.
    pub source: Location,
    /// What to do about an absent signature.
    pub policy: SignaturePolicy,
    /// Whose signatures count.
    pub keyring: Keyring,
    /// The target, a whole disk.
    pub device: PathBuf,
    /// Partitions of the target to keep.
    pub save: Vec<SaveFilter>,
    /// What to put on the boot partition; `None` leaves it as it is, unmounted.
    pub boot: Option<&'a mut dyn BootEditor>,
    /// What to leave after a failure.
    pub on_error: OnError,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("source", &self.source)
            .field("policy", &self.policy)
            .field("device", &self.device)
            .field("save", &self.save)
            .field("boot", &self.boot.is_some())
            .field("on_error", &self.on_error)
            .finish_non_exhaustive()
    }
}

/// A finished install.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// Path or URL that the image came from.
    pub image: String,
    /// Why the image is believed.
    pub trust: Trust,
    /// Size of the image on the disk, bytes.
    pub size: u64,
    /// Partitions that were kept.
    pub saved: usize,
    /// Whether the kernel took over the new table; without, its partitions appear at the next
    /// boot.
    pub reread: bool,
}

/// In what state a failed install left the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskState {
    /// Not a byte was written.
    Untouched,
    /// It holds a valid table with the saved partitions and nothing else, and does not boot.
    Unbootable {
        /// How many partitions were kept.
        saved: usize,
    },
    /// Half-written as asked for by [`OnError::Preserve`]; it does not boot.
    Preserved,
    /// The table could not be put right again: the disk itself failed.
    Unknown,
}

/// Installs an image onto a disk.
pub fn install(
    request: Request<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Installed, InstallError> {
    let _ = (request, observer, cancel);
    todo!()
}

/// A failed install and what it left.
#[derive(Debug, thiserror::Error)]
#[error("cannot install to {}", device.display())]
pub struct InstallError {
    /// The target.
    pub device: PathBuf,
    /// What is on it now.
    pub state: DiskState,
    /// Why.
    #[source]
    pub source: InstallCause,
}

/// Why an install failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallCause {
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] crate::cancel::Cancelled),
}
