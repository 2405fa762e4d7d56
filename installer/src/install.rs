//! The whole install: from a location to a disk that boots, or to a disk that says in what state
//! it was left. The order is [`crate::seal`]'s chain of types; this is the short runner around it.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::progress::Progress;

use crate::cancel::{Cancel, Cancelled};
use crate::disk::mount::{self, BootError};
use crate::disk::saved::{Saved, SavedError};
use crate::disk::{BlockDevice, Disk, SaveFilter, TargetError};
use crate::image::{OpenImage, SignaturePlace, Terms};
use crate::observe::Observer;
use crate::pipeline::{Extent, ImageError, MemoryBudget, Order, Pipeline};
use crate::seal::{Customise, Head, Interim, SealError, Sealed};
use crate::source::{Location, ManifestPlace, SourceError};
use crate::verify::{Keyring, Means, SignaturePolicy, Trust, VerifyError};

mod rehearsal;

use embed::gpt::{GptError, Table};
pub use rehearsal::{Rehearsal, rehearse};

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
    /// Where its chunk manifest is, if it is a packed one.
    pub manifest: ManifestPlace,
    /// The digest that its bytes as published must have. Makes a signature unnecessary, but one
    /// that is there must be good all the same.
    pub digest: Option<Sha256Digest>,
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
    /// What buffers and decoders may take.
    pub memory: MemoryBudget,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("source", &self.source)
            .field("manifest", &self.manifest)
            .field("digest", &self.digest)
            .field("policy", &self.policy)
            .field("device", &self.device)
            .field("save", &self.save)
            .field("boot", &self.boot.is_some())
            .field("on_error", &self.on_error)
            .field("memory", &self.memory)
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

/// A failed install and what it left.
#[derive(Debug, thiserror::Error)]
#[error("cannot install to {}: {state}", device.display())]
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
    /// The image could not be opened.
    #[error("cannot open the image")]
    Source(#[source] SourceError),
    /// The image can never be verified: no signature, no keys.
    #[error("the image cannot be verified")]
    Verify(#[source] VerifyError),
    /// The disk cannot be the target.
    #[error("the disk cannot be installed to")]
    Target(#[source] TargetError),
    /// The partitions to keep cannot be kept.
    #[error("cannot keep partitions")]
    Saved(#[source] SavedError),
    /// Something went wrong while the image was written, verified, customised or sealed.
    #[error("cannot write the image")]
    Seal(#[source] SealError),
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl fmt::Display for DiskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched => f.write_str("the disk was not touched"),
            Self::Unbootable { saved: 0 } => f.write_str("the disk was left empty and unbootable"),
            Self::Unbootable { saved } => {
                write!(
                    f,
                    "the disk was left unbootable; {saved} saved partitions are kept"
                )
            }
            Self::Preserved => f.write_str("the disk was left unbootable, half-written as asked"),
            Self::Unknown => f.write_str("the disk failed and may have no valid partition table"),
        }
    }
}

/// Installs an image onto a disk.
///
/// Whatever can be checked is checked before the first write: source, signature, keys, target,
/// partitions to keep, and the first MiB of the image. After a failure, the error's
/// [`InstallError::state`] says what is on the disk.
#[expect(
    clippy::result_large_err,
    reason = "made once in a program's life, and matched on by its fields"
)]
pub fn install(
    request: Request<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Installed, InstallError> {
    let path = request.device.clone();
    let Prepared {
        device,
        saved,
        image,
        ..
    } = prepare(&request, observer, cancel)?;
    let name = image.name().to_owned();
    let mut editor = request.boot.map(|editor| MountedBoot {
        device: path.clone(),
        editor,
    });
    let editor = editor.as_mut().map(|editor| editor as &mut dyn Customise);
    let target = Target {
        disk: &device,
        path: &path,
        saved: &saved,
        on_error: request.on_error,
    };
    let sealed = target.run(image, editor, observer)?;
    let reread = device.reread_table().is_ok();
    observer.event(Progress::Done);
    Ok(Installed {
        image: name,
        trust: sealed.trust,
        size: sealed.size,
        saved: sealed.saved,
        reread,
    })
}

fn untouched(device: &Path, source: InstallCause) -> InstallError {
    InstallError {
        device: device.to_owned(),
        state: DiskState::Untouched,
        source,
    }
}

/// A checked target and an image on its way.
struct Prepared {
    device: BlockDevice,
    saved: Saved,
    image: Pipeline,
    means: Means,
}

/// Everything that is checked before the image's first byte.
#[expect(
    clippy::result_large_err,
    reason = "made once in a program's life, and matched on by its fields"
)]
fn prepare(
    request: &Request<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Prepared, InstallError> {
    let untouched = |source| untouched(&request.device, source);
    let image = open(request, observer, cancel).map_err(untouched)?;
    let device =
        BlockDevice::open(&request.device).map_err(|e| untouched(InstallCause::Target(e)))?;
    let saved =
        Saved::select(&device, &request.save).map_err(|e| untouched(InstallCause::Saved(e)))?;
    let means = image.means();
    Ok(Prepared {
        image: image.start_within(Extent::Frames, Order::Any, request.memory, cancel),
        device,
        saved,
        means,
    })
}

fn open(
    request: &Request<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<OpenImage, InstallCause> {
    let terms = Terms {
        manifest: &request.manifest,
        signature: SignaturePlace::Beside,
        digest: request.digest,
        policy: request.policy,
        keyring: &request.keyring,
    };
    OpenImage::open(&request.source, &terms, observer, cancel)
        .and_then(|image| image.check_memory(request.memory).map(|()| image))
        .map_err(|error| match error {
            ImageError::Source(error) => InstallCause::Source(error),
            ImageError::Verify(error) => InstallCause::Verify(error),
            error => seal_cause(SealError::Image(error)),
        })
}

fn seal_cause(error: SealError) -> InstallCause {
    match error {
        SealError::Image(ImageError::Cancelled(cancelled)) => cancelled.into(),
        error => InstallCause::Seal(error),
    }
}

/// A disk that was checked, what to keep on it, and what to leave after a failure.
struct Target<'d> {
    disk: &'d dyn Disk,
    path: &'d Path,
    saved: &'d Saved,
    on_error: OnError,
}

impl Target<'_> {
    /// From a running pipeline to a sealed disk.
    #[expect(
        clippy::result_large_err,
        reason = "made once in a program's life, and matched on by its fields"
    )]
    fn run(
        &self,
        mut image: Pipeline,
        editor: Option<&mut dyn Customise>,
        observer: &dyn Observer,
    ) -> Result<Sealed, InstallError> {
        let head = self.head(&mut image, observer)?;
        observer.event(Progress::Started {
            target: self.path.display().to_string(),
        });
        self.write(head, image, editor, observer)
            .map_err(|error| self.error(self.clear(), error))
    }

    /// Takes the image's head and looks whether the rest can go to the disk.
    #[expect(
        clippy::result_large_err,
        reason = "made once in a program's life, and matched on by its fields"
    )]
    fn head(&self, image: &mut Pipeline, observer: &dyn Observer) -> Result<Head, InstallError> {
        Head::take(image, observer)
            .and_then(|head| head.check(self.disk, self.saved).map(|()| head))
            .map_err(|e| self.error(DiskState::Untouched, e))
    }

    fn write(
        &self,
        head: Head,
        mut image: Pipeline,
        editor: Option<&mut dyn Customise>,
        observer: &dyn Observer,
    ) -> Result<Sealed, SealError> {
        let written = Interim::write(self.disk, self.saved)?.copy(head, &mut image, observer)?;
        let proof = image.finish().map_err(SealError::Image)?;
        written.verified(proof).customise(editor)?.seal(observer)
    }

    /// Puts the disk into the state that a failure should leave.
    fn clear(&self) -> DiskState {
        match self.on_error {
            OnError::Preserve => DiskState::Preserved,
            OnError::Clear => match Interim::write(self.disk, self.saved) {
                Ok(_) => DiskState::Unbootable {
                    saved: self.saved.count(),
                },
                Err(_) => DiskState::Unknown,
            },
        }
    }

    fn error(&self, state: DiskState, error: SealError) -> InstallError {
        InstallError {
            device: self.path.to_owned(),
            state,
            source: seal_cause(error),
        }
    }
}

/// Runs a [`BootEditor`] on the boot file system, mounted from the disk's device node.
struct MountedBoot<'a> {
    device: PathBuf,
    editor: &'a mut dyn BootEditor,
}

impl Customise for MountedBoot<'_> {
    fn customise(
        &mut self,
        disk: &dyn Disk,
        image: Result<&Table, &GptError>,
    ) -> Result<(), BootError> {
        let table = image.map_err(|error| BootError::NoTable(error.clone()))?;
        let place = mount::find(disk, table)?;
        let edit = &mut |boot: &Path| self.editor.edit(boot);
        mount::edit_mounted(&self.device, place, disk.sector_size().bytes(), edit)
    }
}

#[cfg(test)]
mod tests;
