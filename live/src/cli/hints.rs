//! What to do about an error: one place that knows what the libraries do not.

use embed::contract::{initrd, karg};

use crate::config::ConfigError;
use crate::discover::DiscoverError;
use crate::fetch::{AttemptError, FetchError};
use crate::install::{ArgumentsError, InstallError};
use crate::network::NetworkError;
use crate::rootfs::RootfsError;

/// A hint for `error`, if there is one worth giving.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<RootfsError>() {
        return rootfs(error);
    }
    if let Some(ConfigError::Discover(error)) = error.downcast_ref::<ConfigError>() {
        return discover(error);
    }
    if let Some(InstallError::Arguments(ArgumentsError::NoTarget)) =
        error.downcast_ref::<InstallError>()
    {
        return Some(format!(
            "add `{}=/dev/…` to the kernel arguments",
            karg::INST_DEV
        ));
    }
    if let Some(NetworkError::NoGenerator) = error.downcast_ref::<NetworkError>() {
        return Some("build the initramfs with dracut's network-manager module".to_owned());
    }
    error.downcast_ref::<DiscoverError>().and_then(discover)
}

fn rootfs(error: &RootfsError) -> Option<String> {
    match error {
        RootfsError::NoSource => Some(format!(
            "add `{}=http://…/rootfs.img` to the kernel arguments, or load rootfs.img as a second initrd",
            karg::LIVE_ROOTFS_URL
        )),
        RootfsError::Incomplete => Some(
            "the memory was too small to unpack rootfs.img, or its download was cut".to_owned(),
        ),
        RootfsError::Version { .. } => {
            Some("take kernel, initramfs and rootfs from the same build".to_owned())
        }
        RootfsError::Memory(error) => Some(format!(
            "give the machine at least {} MiB more, or boot the ISO, which needs no copy in memory",
            error.missing().div_ceil(1024 * 1024)
        )),
        RootfsError::Deployment { .. } => Some(format!(
            "`{}=` of the kernel arguments and the rootfs must be of the same build",
            karg::OSTREE
        )),
        RootfsError::Discover(error) => discover(error),
        RootfsError::Fetch(error) => fetch(error),
        _ => None,
    }
}

fn discover(error: &DiscoverError) -> Option<String> {
    match error {
        DiscoverError::Absent { .. } => {
            Some("is its controller's driver in the initramfs, and the label right?".to_owned())
        }
        DiscoverError::Several { .. } => {
            Some("detach the disks that this machine does not boot from".to_owned())
        }
    }
}

fn fetch(error: &FetchError) -> Option<String> {
    match error {
        FetchError::Refused { .. } => Some(format!(
            "check `{}` and what the server offers",
            karg::LIVE_ROOTFS_URL
        )),
        FetchError::GaveUp {
            source: AttemptError::Wrong(_),
            ..
        } => Some(format!(
            "the file is not the one that this initramfs was made with (/{}); take both from the same build",
            initrd::WANT_ROOTFS
        )),
        FetchError::GaveUp { .. } => Some("check that this machine reaches the server".to_owned()),
        _ => None,
    }
}
