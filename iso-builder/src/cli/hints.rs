//! From typed errors to hints and exit statuses: the one place that knows both.

use std::error::Error;
use std::io;

use installer::sign::SignError;
use installer::verify::VerifyError;

use super::build::UsageError;
use crate::build::{BuildError, PartsError};
use crate::grub::AreaError;
use crate::image::{BootError, EspError, ImageError, RootError};
use crate::initramfs::InitramfsError;
use crate::iso::{IsoError, VolumeIdError};
use crate::live_kargs::KargError;
use crate::live_module::ModuleError;
use crate::rootfs::RootfsError;
use crate::tools::ToolError;
use crate::verify::VerifyIsoError;

/// How to fix it, where that is known. The outermost cause with a hint decides.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(ToolError::Missing { package, .. }) = cause.downcast_ref() {
            return Some(format!("apt install {package}"));
        }
        fixed(cause).map(str::to_owned)
    })
}

/// 2 where the command line asks for what cannot be, else 1.
pub(super) fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<UsageError>() {
        super::output::USAGE
    } else {
        1
    }
}

fn fixed(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    of(cause, usage)
        .or_else(|| of(cause, verify))
        .or_else(|| of(cause, image))
        .or_else(|| of(cause, boot))
        .or_else(|| of(cause, esp))
        .or_else(|| of(cause, initramfs))
        .or_else(|| of(cause, build))
        .or_else(|| of(cause, module))
        .or_else(|| of(cause, parts))
        .or_else(|| of(cause, rootfs))
        .or_else(|| of(cause, iso))
        .or_else(|| of(cause, sign))
        .or_else(|| of(cause, differs))
        .or_else(|| {
            of(cause, |_: &KargError| {
                Some("choose another argument, or change the image's boot loader entry")
            })
        })
        .or_else(|| {
            of(cause, |_: &AreaError| {
                Some("the kernel takes no more; drop some of the `--live-karg`")
            })
        })
        .or_else(|| {
            of(cause, |_: &VolumeIdError| {
                Some("name a label with `--volume-id`")
            })
        })
        .or_else(|| of(cause, system))
}

fn of<E: Error + 'static>(
    error: &(dyn Error + 'static),
    hint: fn(&E) -> Option<&'static str>,
) -> Option<&'static str> {
    error.downcast_ref().and_then(hint)
}

fn usage(error: &UsageError) -> Option<&'static str> {
    Some(match error {
        UsageError::Name { .. } => "name them with `--name`",
        UsageError::Epoch(_) => "unset it, or set it to the time of the last change of the sources",
    })
}

fn verify(error: &VerifyError) -> Option<&'static str> {
    match error {
        VerifyError::NoSignature { .. } => {
            Some("name the signature with `--sig`, or take the image on trust with `--insecure`")
        }
        VerifyError::BadSignature { .. } => {
            Some("fetch image and signature again, both from the same place")
        }
        VerifyError::Chunk { .. }
        | VerifyError::PackedDigest(_)
        | VerifyError::PackedSurplus { .. } => {
            Some("fetch image and chunk manifest again, both from the same place")
        }
        VerifyError::UnknownKey { .. } => Some("name the publisher's key with `--keyring`"),
        VerifyError::NoKey { .. } => Some("export it with `gpg --export KEY`"),
        _ => None,
    }
}

fn image(error: &ImageError) -> Option<&'static str> {
    match error {
        ImageError::NoTable | ImageError::NoRoot { .. } => Some(NOT_COREOS_STYLE),
        _ => None,
    }
}

const NOT_COREOS_STYLE: &str =
    "media are made from whole disk images of CoreOS-style systems; see `docs/src/os-contract.md`";

fn boot(error: &BootError) -> Option<&'static str> {
    match error {
        BootError::NoPartition | BootError::NoEntry | BootError::NoFile(_) => {
            Some(NOT_COREOS_STYLE)
        }
        BootError::Ambiguous(_) => Some("only one file system of an image may be labelled `boot`"),
        BootError::FileSystem(_) => Some("build the image with an ext4 boot partition"),
        BootError::Truncated { .. } => {
            Some("the image was cut or its boot partition shrunk; build it again")
        }
        _ => None,
    }
}

fn esp(error: &EspError) -> Option<&'static str> {
    match error {
        EspError::NoPartition | EspError::NoLoader(_) => Some(
            "the medium starts with the image's own boot loader: EFI/BOOT/BOOTX64.EFI and grubx64.efi",
        ),
        _ => None,
    }
}

fn initramfs(error: &InitramfsError) -> Option<&'static str> {
    match error {
        InitramfsError::NoPrepareRoot => {
            Some("build the image's initramfs with dracut's `ostree` module")
        }
        InitramfsError::NoLiveProgram => Some(
            "write the live module with `coreos-live pack-module FILE` and name it with `--live-module`; or run `live/install.sh` on the OS tree before dracut, and add `coreos-metal`",
        ),
        _ => None,
    }
}

fn module(error: &ModuleError) -> Option<&'static str> {
    match error {
        ModuleError::Unfit { .. } => Some(
            "the live module needs an initramfs with systemd, a shell, modprobe and Ignition; dracut makes such ones",
        ),
        ModuleError::NotAModule { .. } => Some("write one with `coreos-live pack-module FILE`"),
        ModuleError::Architecture { .. } => {
            Some("write the module on a machine of the image's architecture")
        }
        ModuleError::Root {
            source: RootError::NoDeployment(_),
            ..
        } => Some("boot loader entry and root of the image do not belong together; build it again"),
        ModuleError::Root { .. } | ModuleError::NoKernelModule(_) => {
            Some("build the image's initramfs with these modules")
        }
        _ => None,
    }
}

fn build(error: &BuildError) -> Option<&'static str> {
    match error {
        BuildError::Deployment { .. } => Some(
            "its boot loader entry must name the deployment as `ostree admin deploy` writes it",
        ),
        _ => None,
    }
}

fn parts(error: &PartsError) -> Option<&'static str> {
    match error {
        PartsError::NotLive(_) => Some("make media from the OS image, with `--image`"),
        PartsError::ImageMissing => Some(
            "name the image of the same build with `--image`: boot loader and kernel arguments are taken from it",
        ),
        PartsError::ImageInside => Some("leave `--image` out"),
        PartsError::OtherRootfs(_) | PartsError::OtherImage { .. } => {
            Some("take kernel, initramfs and rootfs from the same build")
        }
        _ => None,
    }
}

fn rootfs(error: &RootfsError) -> Option<&'static str> {
    match error {
        RootfsError::TooLarge(_) => Some("raise `--compression-level`, or make the image smaller"),
        _ => None,
    }
}

fn iso(error: &IsoError) -> Option<&'static str> {
    match error {
        IsoError::Changed { .. } => Some("let nothing else write into the output directory"),
        _ => None,
    }
}

fn sign(error: &SignError) -> Option<&'static str> {
    match error {
        SignError::NoKey { .. } => Some("`gpg --list-secret-keys` shows what keys there are"),
        SignError::Ambiguous { .. } => Some("name it by its fingerprint"),
        _ => None,
    }
}

fn differs(error: &VerifyIsoError) -> Option<&'static str> {
    match error {
        VerifyIsoError::Differs { .. } => {
            Some("do not use it; fetch ISO and manifest again, both from the same place")
        }
        VerifyIsoError::NotLive { .. } => Some("`iso-builder inspect` tells what it is"),
        _ => None,
    }
}

fn system(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            Some("a build needs room for the raw image and twice its compressed size")
        }
        io::ErrorKind::PermissionDenied => Some("check the permissions; a build needs no root"),
        _ => None,
    }
}
