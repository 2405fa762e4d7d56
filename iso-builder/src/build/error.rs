//! Why a build failed: which part, with the part's own reason as the source.

use std::io;
use std::path::{Path, PathBuf};

use embed::ostree::BootLinkError;
use installer::sign::SignError;

use super::PartsError;
use crate::image::{BootError, EspError, ImageError};
use crate::initramfs::InitramfsError;
use crate::iso::VolumeIdError;
use crate::live_kargs::KargError;
use crate::media::MediaError;
use crate::rootfs::RootfsError;
use crate::unpack::UnpackError;

/// Why a build failed. Each says which part; its source says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Getting at the verified image.
    #[error("cannot use the image {image}")]
    Unpack {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: Box<UnpackError>,
    },
    /// Not an OS image.
    #[error("cannot make media from {image}")]
    Image {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// Nothing to start from in it.
    #[error("cannot start anything from {image}")]
    Boot {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: BootError,
    },
    /// No EFI boot loader in it.
    #[error("cannot take the boot loader from {image}")]
    Esp {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: EspError,
    },
    /// Made for a machine that media cannot be made for.
    #[error("{image} is for {found}; media are made for x86_64 only")]
    Architecture {
        /// The image.
        image: PathBuf,
        /// Machine of its kernel.
        found: String,
    },
    /// An OSTree system that names its deployment in another way.
    #[error("cannot tell which OSTree deployment {image} boots")]
    Deployment {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: BootLinkError,
    },
    /// A kernel argument that cannot be passed on.
    #[error("cannot put the kernel arguments into the boot menu")]
    Kargs(#[source] KargError),
    /// The initramfs.
    #[error("cannot make the live initramfs from {image}")]
    Initramfs {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: InitramfsError,
    },
    /// The rootfs.
    #[error("cannot make the rootfs")]
    Rootfs(#[source] RootfsError),
    /// No label could be made from name and version.
    #[error("cannot label the ISO")]
    Label(#[source] VolumeIdError),
    /// The ISO.
    #[error("cannot make the ISO")]
    Media(#[source] MediaError),
    /// A file of the results.
    #[error("cannot write {path}")]
    Output {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A ready-made part.
    #[error("cannot pack {file}")]
    Parts {
        /// The part.
        file: PathBuf,
        /// Why.
        #[source]
        source: PartsError,
    },
    /// The results cannot be signed.
    #[error("cannot sign the manifest and the ISO")]
    Sign(#[source] SignError),
    /// Asked to stop.
    #[error("interrupted; nothing was changed in {out}")]
    Interrupted {
        /// The output directory.
        out: PathBuf,
    },
}

/// The error for a result at `path`.
pub(super) fn output(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Output { path, source }
}
