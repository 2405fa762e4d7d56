//! `pack image`: from a raw image to what [`crate::pack_image`] makes of it.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use indicatif::HumanBytes;

use crate::cli::files;
use crate::pack_image::{PackRequest, Packed, pack};
use crate::plan::ProgressForm;
use crate::ui::{self, progress};

const MIB: u32 = 1024 * 1024;

pub(super) const EXAMPLES: &str = "\
Examples:
  Pack and sign:
    coreos-installer pack image os.raw -o out/ --sign images@example.com
  Publish: upload all four files, the manifest and its signature last; then
    coreos-installer install -u https://mirror.example/os.raw.zst \\
        --keyring os.gpg /dev/sda";

/// Options of `pack image`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ImageArgs {
    /// Raw image of a disk
    #[arg(value_name = "RAW", value_hint = ValueHint::FilePath)]
    raw: PathBuf,
    /// Directory to write to
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    output: PathBuf,
    /// Sign both files with this secret key of your GnuPG
    ///
    /// An ID, a fingerprint or a user; it must be one key.
    #[arg(long, value_name = "KEY")]
    sign: Option<String>,
    /// Size of a chunk: 1, 2, 4, 8, 16 or 32MiB
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = chunk_size)]
    chunk_size: u32,
    /// Compression level of zstd, 1 to 22
    #[arg(long, value_name = "N", default_value = "15",
          value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
}

impl ImageArgs {
    pub(super) fn run(self) -> Result<()> {
        let request = PackRequest {
            raw: self.raw,
            dir: self.output,
            chunk_size: self.chunk_size,
            level: self.level,
            key: self.sign,
        };
        let watcher = progress::Watcher::new(ProgressForm::Auto);
        let cancel = ui::cancel_on_signals()?;
        let packed = pack(&request, &watcher, &cancel);
        watcher.finish();
        tell(&packed?)
    }
}

fn tell(packed: &Packed) -> Result<()> {
    let data = packed.raw_size.saturating_sub(packed.zeroes);
    ui::tell(&format!(
        "packed {} of data in {} chunks and {} of zeroes into {}",
        HumanBytes(data),
        packed.chunks,
        HumanBytes(packed.zeroes),
        HumanBytes(packed.size)
    ));
    let mut names = Vec::new();
    for path in [&packed.image, &packed.manifest] {
        names.push(path.display().to_string());
        if packed.signed_by.is_some() {
            names.push(format!("{}.sig", path.display()));
        }
    }
    match &packed.signed_by {
        Some(key) => ui::tell(&format!("signed by {key}")),
        None => ui::warn("not signed; `--sign` does that, or `gpg --detach-sign` on each file"),
    }
    names.push(String::new());
    files::report(names.join("\n").as_bytes())
}

fn chunk_size(text: &str) -> Result<u32, String> {
    text.strip_suffix("MiB")
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| number.is_power_of_two() && *number <= 32)
        .map(|number| number * MIB)
        .ok_or_else(|| "it is not 1, 2, 4, 8, 16 or 32MiB".to_owned())
}
