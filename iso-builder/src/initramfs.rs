//! The live initramfs: the image's own, the live module if it has none, and a small archive that
//! says which live set this is, which rootfs belongs to it and which image that holds.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use embed::contract::initrd as names;
use embed::initrd::{Archive, InitrdError};
use embed::medium::LiveImage;
use embed::ostree::BootLink;
use embed::stream_hash::StreamHash;
use serde::Serialize;
use serde_json::json;

use crate::image::{BlsEntry, BootError, BootPartition, OsImage};
use crate::live_module::{KernelModules, LiveModule, ModuleError, Survey, kernel_release};

/// Why there is no live initramfs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitramfsError {
    /// The image's initramfs cannot be copied.
    #[error("cannot take the initramfs from the image")]
    Image(#[source] BootError),
    /// The image's initramfs cannot be read.
    #[error("cannot look into the image's initramfs")]
    Look(#[source] InitrdError),
    /// An initramfs that cannot run live.
    #[error("the image's initramfs has no `{program}`, so it cannot run live", program = names::LIVE_PROGRAM)]
    NoLiveProgram,
    /// An initramfs that cannot make the deployment of its OSTree system the root.
    #[error("the image boots an OSTree deployment, and its initramfs has no `{program}`", program = names::OSTREE_PREPARE_ROOT)]
    NoPrepareRoot,
    /// The live module cannot be added.
    #[error("cannot make the image's initramfs a live one")]
    Module(#[source] ModuleError),
    /// The archive cannot be made.
    #[error("cannot make the archive for the live initramfs")]
    Archive(#[source] InitrdError),
    /// A description cannot be put into words.
    #[error("cannot describe the live image")]
    Describe(#[source] serde_json::Error),
    /// The output cannot be written or read back.
    #[error("cannot write the live initramfs")]
    Write(#[source] io::Error),
}

/// What the live system understands, as `coreos/features.json` and the initramfs say it; keyfiles
/// only where `network` says that something reads them.
pub fn features(network: bool) -> String {
    let features = json!({
        "installer-config": true,
        "installer-config-directives": { "ca-cert": true, "console": true },
        "live-initrd-network": network,
    });
    format!("{features:#}\n")
}

/// Copies the initramfs of `entry` from `boot` to `out`, and looks what is in it.
pub fn take(
    boot: &BootPartition,
    entry: &BlsEntry,
    out: &mut File,
) -> Result<Survey, InitramfsError> {
    boot.copy_initramfs(entry, out)
        .map_err(InitramfsError::Image)?;
    out.seek(SeekFrom::Start(0))
        .map_err(InitramfsError::Write)?;
    let survey = Survey::of(BufReader::new(&*out)).map_err(InitramfsError::Look)?;
    out.seek(SeekFrom::End(0)).map_err(InitramfsError::Write)?;
    Ok(survey)
}

/// What an initramfs belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    /// The kernel.
    pub kernel: &'a [u8],
    /// The image.
    pub os: &'a OsImage,
    /// The deployment in it that is the root of an OSTree system.
    pub deployment: Option<&'a BootLink>,
}

/// Makes the initramfs in `out`, which `survey` describes and which belongs to `whole`, one that can
/// run live: nothing to do for one with the live program, else the live module at `module` is
/// appended.
pub fn make_live(
    out: &mut File,
    survey: &Survey,
    module: Option<&Path>,
    whole: Whole<'_>,
) -> Result<(), InitramfsError> {
    if whole.deployment.is_some() && !survey.makes_deployments() {
        return Err(InitramfsError::NoPrepareRoot);
    }
    if survey.is_live() {
        return Ok(());
    }
    let path = module.ok_or(InitramfsError::NoLiveProgram)?;
    let lacks = survey.lacks();
    if !lacks.is_empty() {
        return Err(InitramfsError::Module(ModuleError::Unfit { lacks }));
    }
    let archive = LiveModule::read(path).and_then(|module| {
        let release = kernel_release(whole.kernel).ok_or(ModuleError::NoRelease)?;
        let root = || whole.os.root(whole.deployment);
        let kernel = KernelModules::missing(&module, survey, &release, root)?;
        module.archive(survey, kernel)
    });
    let archive = archive.map_err(InitramfsError::Module)?;
    out.write_all(&archive).map_err(InitramfsError::Write)
}

/// Appends the archive that makes `out`, at its end and at a multiple of 4 bytes, a live initramfs.
pub fn append(
    out: &mut File,
    image: &LiveImage,
    rootfs: &StreamHash,
    features: &str,
) -> Result<(), InitramfsError> {
    let image_json = pretty(image).map_err(InitramfsError::Describe)?;
    let mut archive = Archive::default();
    for (path, text) in [
        (names::LIVE_STAMP, format!("{}\n", image.version)),
        (names::WANT_ROOTFS, rootfs.to_string()),
        (names::LIVE_IMAGE, image_json),
        (names::FEATURES, features.to_owned()),
    ] {
        archive
            .insert(path, text)
            .map_err(InitramfsError::Archive)?;
    }
    let cpio = archive.to_cpio().map_err(InitramfsError::Write)?;
    out.write_all(&cpio).map_err(InitramfsError::Write)
}

fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_back_by_the_tools() {
        let features: embed::iso::Features = serde_json::from_str(&features(true)).unwrap();
        assert!(features.installer_config && features.live_initrd_network);
        let without: embed::iso::Features = serde_json::from_str(&super::features(false)).unwrap();
        assert!(without.installer_config && !without.live_initrd_network);
        let directives = features.installer_config_directives;
        assert!(directives.console && directives.ca_cert);
    }
}
