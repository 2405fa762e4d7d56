//! `iso extract minimal-iso`: the small ISO that a full one describes, which fetches its rootfs.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::contract::iso::ROOTFS;
use embed::contract::karg;
use embed::iso::{LiveIso, MinimalIso, Region, apply_in_place, copy_with};
use embed::kargs::Kargs;

use super::super::files::{self, Destination};
use super::super::media::MediaError;
use super::extract::{permissions, write_new};

/// Shown below the options.
pub(super) const EXAMPLES: &str = "Example:\n  \
    coreos-installer iso extract minimal-iso --output-rootfs rootfs.img \\\n      \
    --rootfs-url https://example.com/rootfs.img live.iso minimal.iso";

/// Options of `iso extract minimal-iso`.
#[derive(Args, Debug)]
pub(in crate::cli) struct MinimalArgs {
    /// Write the rootfs to this new file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output_rootfs: Option<PathBuf>,
    /// Where the minimal image shall fetch the rootfs
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    rootfs_url: Option<String>,
    /// Live ISO image
    #[arg(value_name = "ISO", value_hint = ValueHint::FilePath)]
    input: PathBuf,
    /// New minimal ISO image, or `-` for standard output
    #[arg(value_name = "OUTPUT", default_value = "-", value_hint = ValueHint::FilePath)]
    output: PathBuf,
}

impl MinimalArgs {
    pub(super) fn run(self) -> Result<()> {
        let url = self.rootfs_url.as_deref();
        if let Some(url) = url.filter(|url| url.contains(char::is_whitespace)) {
            return Err(MediaError::RootfsUrl(url.to_owned()).into());
        }
        let mut iso = super::open(&self.input)?;
        if !iso.is_pristine()? {
            return Err(MediaError::Embedded { path: self.input }.into());
        }
        let description = MinimalIso::find(iso.files())?.ok_or_else(|| MediaError::NoMinimal {
            path: self.input.clone(),
        })?;
        let permissions = permissions(&self.input)?;
        let mut full =
            File::open(&self.input).with_context(|| format!("reading {}", self.input.display()))?;
        let mut make = |file: &mut File| -> Result<Vec<Region>> {
            description.unpack(&mut full, &mut *file)?;
            let regions = regions(&mut *file, url)?;
            self.extract_rootfs(&mut iso)?;
            Ok(regions)
        };
        match Destination::from(Some(self.output.clone())) {
            Destination::NewFile(path) => write_new(&path, permissions, |file| {
                let regions = make(file)?;
                Ok(apply_in_place(file, &regions)?)
            }),
            Destination::Stdout | Destination::InPlace => {
                let stdout = files::binary_stdout()?;
                let mut file = tempfile::tempfile().context("making a temporary file")?;
                let regions = make(&mut file)?;
                file.seek(SeekFrom::Start(0))
                    .and_then(|_| copy_with(file, stdout, &regions))
                    .context("writing to standard output")
            }
        }
    }

    fn extract_rootfs(&self, iso: &mut LiveIso<File>) -> Result<()> {
        let Some(path) = &self.output_rootfs else {
            return Ok(());
        };
        let iso = iso.files();
        let rootfs = iso.existing(ROOTFS)?;
        write_new(path, permissions(&self.input)?, |file| {
            Ok(iso.copy_extent(rootfs, file)?)
        })
    }
}

/// The edits that make the minimal image look for its rootfs elsewhere.
fn regions(file: &mut File, url: Option<&str>) -> Result<Vec<Region>> {
    let mut iso = LiveIso::open(file).context("reading the minimal ISO image")?;
    let mut kargs = iso.kargs()?;
    let mut default = iso.default_kargs()?;
    for kargs in [&mut kargs, &mut default] {
        remove_medium(kargs);
    }
    if let Some(url) = url {
        kargs.push(format!("{}={url}", karg::LIVE_ROOTFS_URL));
    }
    let mut regions = iso.set_kargs(&kargs)?;
    regions.push(iso.set_default_kargs(&default)?);
    Ok(regions)
}

/// The rootfs is not on the image.
fn remove_medium(kargs: &mut Kargs) {
    kargs.retain(|word| {
        let value = word.strip_prefix(karg::LIVE_ISO);
        !value.is_some_and(|rest| rest.starts_with('='))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_of_the_rootfs_is_removed() {
        let mut kargs = Kargs::parse("coreos.liveiso=a coreos.liveiso quiet xcoreos.liveiso=b");
        remove_medium(&mut kargs);
        assert_eq!(kargs.to_string(), "coreos.liveiso quiet xcoreos.liveiso=b");
    }
}
