//! Refusals of the commands that read and edit live media. Scripts match on these texts.

use std::path::PathBuf;

/// Why a command about live media refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// `network embed` without `--force` on an image that has keyfiles.
    #[error("{path} already has embedded network settings")]
    NetworkEmbedded {
        /// The image.
        path: PathBuf,
    },
    /// `extract` or `unwrap` where there are no keyfiles.
    #[error("No embedded network settings in {path}")]
    NoNetwork {
        /// The image or initrd.
        path: PathBuf,
    },
    /// Something that needs the pristine image.
    #[error("Cannot operate on ISO with embedded customizations: {path}")]
    Embedded {
        /// The image.
        path: PathBuf,
    },
    /// An image made without a description of a minimal one.
    #[error("{path} does not support extracting a minimal ISO")]
    NoMinimal {
        /// The image.
        path: PathBuf,
    },
    /// An initramfs that does not boot into a live system.
    #[error("{path} is not a CoreOS live initramfs image")]
    NotLive {
        /// The initramfs.
        path: PathBuf,
    },
    /// `pxe customize` of its own output.
    #[error("{path} is already customized")]
    CustomizedInitrd {
        /// The initramfs.
        path: PathBuf,
    },
    /// Network settings in a language that is not compiled.
    #[error("nmstate config {path} cannot be taken: only keyfiles are")]
    Nmstate {
        /// The config.
        path: PathBuf,
    },
    /// A URL that cannot be a kernel argument.
    #[error("rootfs URL `{0}` contains white space")]
    RootfsUrl(String),
}
