//! The live initramfs: the image's own, followed by a small archive that says which live set this
//! is, which rootfs belongs to it and which image that holds.
//!
//! The image's initramfs must carry the live program already.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use embed::contract::initrd as names;
use embed::initrd::{Archive, InitrdError, Limits, walk};
use embed::medium::LiveImage;
use embed::stream_hash::StreamHash;
use serde::Serialize;
use serde_json::json;

use crate::image::{BlsEntry, BootError, BootPartition};

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

/// What the live system understands, as `coreos/features.json` and the initramfs say it.
pub fn features() -> String {
    let features = json!({
        "installer-config": true,
        "installer-config-directives": { "console": true },
        "live-initrd-network": true,
    });
    format!("{features:#}\n")
}

/// Copies the initramfs of `entry` from `boot` to `out` and looks whether it can run live.
pub fn take(boot: &BootPartition, entry: &BlsEntry, out: &mut File) -> Result<(), InitramfsError> {
    boot.copy_initramfs(entry, out)
        .map_err(InitramfsError::Image)?;
    out.seek(SeekFrom::Start(0))
        .map_err(InitramfsError::Write)?;
    let found = has_live_program(BufReader::new(&*out)).map_err(InitramfsError::Look)?;
    if !found {
        return Err(InitramfsError::NoLiveProgram);
    }
    out.seek(SeekFrom::End(0))
        .map(|_| ())
        .map_err(InitramfsError::Write)
}

fn has_live_program(initramfs: impl io::BufRead) -> Result<bool, InitrdError> {
    let mut found = false;
    walk(initramfs, Limits::IMAGE, |entry, _| {
        found = entry.is_file() && entry.name.trim_start_matches(['.', '/']) == names::LIVE_PROGRAM;
        Ok(if found {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    Ok(found)
}

/// Appends the archive that makes `out`, at its end and at a multiple of 4 bytes, a live initramfs.
pub fn append(
    out: &mut File,
    image: &LiveImage,
    rootfs: &StreamHash,
) -> Result<(), InitramfsError> {
    let image_json = pretty(image).map_err(InitramfsError::Describe)?;
    let mut archive = Archive::default();
    for (path, text) in [
        (names::LIVE_STAMP, format!("{}\n", image.version)),
        (names::WANT_ROOTFS, rootfs.to_string()),
        (names::LIVE_IMAGE, image_json),
        (names::FEATURES, features()),
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
    use embed::initrd::newc;

    use super::*;

    fn cpio(names: &[&str]) -> Vec<u8> {
        let mut writer = newc::Writer::new(Vec::new());
        for name in names {
            writer.file(name, 0o755, 1, b"x".as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn live_program_is_found_in_any_segment() {
        let has = |segments: &[&[&str]]| {
            let bytes: Vec<u8> = segments.iter().flat_map(|names| cpio(names)).collect();
            has_live_program(bytes.as_slice()).unwrap()
        };
        assert!(has(&[
            &["early"],
            &["init", "usr/libexec/coreos-live", "z"]
        ]));
        assert!(has(&[&["./usr/libexec/coreos-live"]]));
        assert!(!has(&[&["early"], &["init", "usr/libexec/coreos-live2"]]));
    }

    #[test]
    fn features_are_read_back_by_the_tools() {
        let features: embed::iso::Features = serde_json::from_str(&features()).unwrap();
        assert!(features.installer_config && features.live_initrd_network);
    }
}
