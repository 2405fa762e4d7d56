//! `dev extract osmet`: an osmet file and a repository back into the raw image, on a disk or in a new
//! file. A disk becomes bootable, and a file appears, when the image proved to be the right one.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueHint};

use super::super::files;
use crate::cancel::Cancel;
use crate::image::{SignaturePlace, Terms, unpack_verified};
use crate::install::{OnError, Request, install};
use crate::observe::Observer;
use crate::pipeline::MemoryBudget;
use crate::plan::ProgressForm;
use crate::source::{Location, ManifestPlace};
use crate::ui::{self, progress};
use crate::verify::{Keyring, SignaturePolicy};

/// Options of `dev extract osmet`.
#[derive(Args, Debug)]
pub(in crate::cli) struct OsmetArgs {
    /// Osmet file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    osmet: PathBuf,
    /// OSTree repository of the live system that the file belongs to
    #[arg(value_name = "REPO", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
    /// Disk to write to, or file to make
    #[arg(value_name = "DEV", value_hint = ValueHint::AnyPath)]
    dest: PathBuf,
}

impl OsmetArgs {
    pub(super) fn run(self) -> Result<()> {
        let source = Location::Osmet {
            file: self.osmet,
            repository: self.repo,
        };
        let watcher = progress::Watcher::new(ProgressForm::Auto);
        let cancel = ui::cancel_on_signals()?;
        let done = match is_disk(&self.dest) {
            true => to_disk(source, self.dest, &watcher, &cancel),
            false => to_file(&source, &self.dest, &watcher, &cancel),
        };
        watcher.finish();
        done
    }
}

fn is_disk(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_block_device())
}

fn to_disk(
    source: Location,
    device: PathBuf,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<()> {
    let request = Request {
        source,
        manifest: ManifestPlace::Unused,
        digest: None,
        policy: SignaturePolicy::Require,
        keyring: Keyring::empty(),
        device,
        save: Vec::new(),
        boot: None,
        on_error: OnError::Clear,
        memory: MemoryBudget::of_this_machine(),
    };
    install(request, observer, cancel)?;
    Ok(())
}

fn to_file(source: &Location, path: &Path, observer: &dyn Observer, cancel: &Cancel) -> Result<()> {
    files::create_new(path, |file| {
        let terms = Terms {
            manifest: &ManifestPlace::Unused,
            signature: SignaturePlace::Beside,
            digest: None,
            policy: SignaturePolicy::Require,
            keyring: &Keyring::empty(),
        };
        unpack_verified(source, &terms, file, observer, cancel)?;
        Ok(())
    })
}
