//! `iso extract pxe`: the files that a network boot needs, out of an ISO. Existing files are never
//! overwritten.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::contract::iso::PXEBOOT;

use super::super::files;
use super::{ShowArgs, minimal};

/// Subcommands of `iso extract`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExtractCommand {
    /// Extract kernel, initramfs and rootfs for network boots
    #[command(after_help = "Example:\n  \
        coreos-installer iso extract pxe -o media live.iso\n  \
        makes media/live-vmlinuz, media/live-initrd.img and media/live-rootfs.img.")]
    Pxe(PxeArgs),
    /// Extract an ISO image without the rootfs, which is then fetched
    #[command(after_help = minimal::EXAMPLES)]
    MinimalIso(minimal::MinimalArgs),
}

/// Options of `iso extract pxe`.
#[derive(Args, Debug)]
pub(in crate::cli) struct PxeArgs {
    /// Directory to write to
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    output_dir: PathBuf,
    #[command(flatten)]
    show: ShowArgs,
}

impl ExtractCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Pxe(args) => pxe(&args),
            Self::MinimalIso(args) => args.run(),
        }
    }
}

fn pxe(args: &PxeArgs) -> Result<()> {
    let mut iso = args.show.open()?;
    let permissions = permissions(&args.show.input)?;
    let directory = &args.output_dir;
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let stem = args.show.input.file_stem().unwrap_or_default();
    let iso = iso.files();
    for file in iso.files_in(PXEBOOT)? {
        let mut name = OsString::from(stem);
        name.push("-");
        name.push(file.path.to_lowercase());
        let path = directory.join(name);
        write_new(&path, permissions.clone(), |output| {
            Ok(iso.copy_extent(file.extent, output)?)
        })?;
        files::report(format!("{}\n", path.display()).as_bytes())?;
    }
    Ok(())
}

/// Who may read what is taken out of the image at `path`: those who may read the image.
pub(super) fn permissions(path: &Path) -> Result<Permissions> {
    let metadata = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(metadata.permissions())
}

/// Makes the file at `path`, which must not exist.
pub(super) fn write_new(
    path: &Path,
    permissions: Permissions,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    files::create_new(path, |file| {
        let name = || format!("writing {}", path.display());
        write(file).with_context(name)?;
        file.set_permissions(permissions).with_context(name)
    })
}
