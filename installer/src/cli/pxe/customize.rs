//! `pxe customize`: an initramfs whose live system provisions itself, installs itself, or both: the
//! published one, unchanged, and one more archive behind it.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::contract::initrd as names;
use embed::initrd::{Archive, Limits};
use embed::iso::Features;
use embed::network;

use super::super::customize::CustomizeOptions;
use super::super::files::{self, Destination};
use super::super::media::MediaError;
use crate::ui;

/// Options of `pxe customize`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  \
    coreos-installer pxe customize --dest-device /dev/sda \\\n      \
    --dest-ignition machine.ign -o machine-initrd.img live-initrd.img\n\n\
    Boot the result with the kernel arguments\n\
    `ignition.firstboot ignition.platform.id=metal`.")]
pub(in crate::cli) struct CustomizeArgs {
    #[command(flatten)]
    options: CustomizeOptions,
    /// New initramfs, or `-` for standard output
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// Initramfs of a live system
    #[arg(value_name = "INITRD", value_hint = ValueHint::FilePath)]
    input: PathBuf,
}

impl CustomizeArgs {
    pub(super) fn run(self) -> Result<()> {
        let name = || format!("reading initrd {}", self.input.display());
        let mut input = File::open(&self.input).with_context(name)?;
        let found = Archive::read_matching(BufReader::new(&input), Limits::IMAGE, is_ours);
        let features = self.features(&found.with_context(name)?)?;
        let archive = self.options.archive(features)?;
        let appended = match archive.is_empty() {
            true => Vec::new(),
            false => archive.to_xz_cpio().context("making an initrd")?,
        };
        input.seek(SeekFrom::Start(0)).with_context(name)?;
        let write = |output: &mut dyn Write| -> io::Result<()> {
            io::copy(&mut &input, output)?;
            output.write_all(&appended)?;
            output.flush()
        };
        match Destination::from(Some(self.output.clone())) {
            Destination::NewFile(path) => {
                let mode = input.metadata().with_context(name)?.permissions();
                files::create_new(&path, |file| {
                    let name = || format!("writing {}", path.display());
                    write(file).with_context(name)?;
                    file.set_permissions(mode).with_context(name)
                })?;
            }
            Destination::Stdout | Destination::InPlace => {
                write(&mut files::binary_stdout()?).context("writing to standard output")?;
            }
        }
        if archive.get(names::CONFIG).is_some() {
            ui::tell(
                "Boot it with the kernel arguments \
                 `ignition.firstboot ignition.platform.id=metal`.",
            );
        }
        Ok(())
    }

    /// What the live system understands, if it is one and as it was published.
    fn features(&self, found: &Archive) -> Result<Features> {
        let path = self.input.clone();
        if found.get(names::LIVE_STAMP).is_none() {
            return Err(MediaError::NotLive { path }.into());
        }
        if found.get(names::CONFIG).is_some() || network::is_configured(found) {
            return Err(MediaError::CustomizedInitrd { path }.into());
        }
        match found.get(names::FEATURES) {
            Some(json) => serde_json::from_slice(json)
                .with_context(|| format!("reading {} of {}", names::FEATURES, path.display())),
            None => Ok(Features::default()),
        }
    }
}

fn is_ours(path: &str) -> bool {
    let known = [names::LIVE_STAMP, names::FEATURES, names::CONFIG];
    known.contains(&path) || network::is_keyfile(path)
}
