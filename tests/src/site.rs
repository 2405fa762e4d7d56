//! A site directory for the server: a copy of the demo's, with the media beside it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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
