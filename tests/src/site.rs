//! A site directory for the server: a copy of the demo's, with the media beside it; and media that
//! need not boot.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use embed::digest::Sha256Digest;
use embed::manifest::{Artifact, FORMAT, Manifest};
use embed::medium::LiveImage;

use crate::programs::repository;

/// MAC address of the machine that the demo's group selects.
pub const MAC: &str = "52:54:00:12:34:56";

/// The demo's site directory in the repository.
pub fn template() -> PathBuf {
    repository().join("examples/demo/site")
}

/// The config that the demo's machines are given, the same file whichever way it takes.
pub fn config() -> PathBuf {
    template().join("configs/demo.ign")
}

/// Copies the demo's site to `DIRECTORY/site`, puts `media` at `DIRECTORY/media`, where the site
/// looks for it, and returns the site's path.
pub fn prepare(directory: &Path, media: &Path) -> Result<PathBuf> {
    let site = directory.join("site");
    copy(&template(), &site)?;
    symlink(media, directory.join("media")).context("putting the media beside the site")?;
    Ok(site)
}

/// Writes a PXE set with its manifest into `directory`: files that hold their own names.
pub fn sample_media(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    let artifact = |file: &str| -> Result<Artifact> {
        std::fs::write(directory.join(file), file).with_context(|| format!("writing {file}"))?;
        Ok(Artifact {
            file: file.to_owned(),
            size: file.len() as u64,
            sha256: Sha256Digest::of(file.as_bytes()),
        })
    };
    let manifest = Manifest {
        format: FORMAT,
        source: LiveImage {
            name: "os".into(),
            version: "1".into(),
            architecture: "x86_64".into(),
            sector_size: 512,
            size: 1,
            sha256: Sha256Digest::of(b"x"),
        },
        kargs: Vec::new(),
        kernel: artifact("vmlinuz")?,
        initramfs: artifact("initrd.img")?,
        rootfs: artifact("rootfs.img")?,
        iso: None,
        image: None,
    };
    std::fs::write(directory.join("manifest.json"), manifest.to_json())
        .context("writing a manifest")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("copying to {}", target.display()))?;
        }
    }
    Ok(())
}
