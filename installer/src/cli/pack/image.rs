//! `pack image`: from a raw image to what [`crate::pack_image`] makes of it.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use indicatif::HumanBytes;

use crate::cli::watching::{Files, ResultForm, WatchArgs, report};
use crate::pack_image::{PackRequest, Packed, pack};
use crate::ui;

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
    #[arg(long, value_name = "N", default_value = "19",
          value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    #[command(flatten)]
    watch: WatchArgs,
}

impl ImageArgs {
    pub(super) fn run(self) -> Result<()> {
        let watcher = self.watch.start()?;
        let request = PackRequest {
            raw: self.raw,
            dir: self.output,
            chunk_size: self.chunk_size,
            level: self.level,
            key: self.sign,
        };
        let cancel = ui::cancel_on_signals()?;
        let packed = pack(&request, &watcher, &cancel);
        watcher.finish();
        let packed = packed?;
        tell(&packed);
        report(&watcher, &made(packed), ResultForm::Text, Files::text)
    }
}

fn tell(packed: &Packed) {
    let data = packed.raw_size.saturating_sub(packed.zeroes);
    ui::tell(&format!(
        "packed {} of data in {} chunks and {} of zeroes into {}",
        HumanBytes(data),
        packed.chunks,
        HumanBytes(packed.zeroes),
        HumanBytes(packed.size)
    ));
    match &packed.signed_by {
        Some(key) => ui::tell(&format!("signed by {key}")),
        None => ui::warn("not signed; `--sign` does that, or `gpg --detach-sign` on each file"),
    }
}

/// Each file, and its signature after it.
fn made(packed: Packed) -> Files {
    let mut files = Vec::new();
    for path in [packed.image, packed.manifest] {
        let mut signature = path.clone().into_os_string();
        signature.push(".sig");
        files.push(path);
        files.extend(packed.signed_by.as_ref().map(|_| signature.into()));
    }
    Files { files }
}

fn chunk_size(text: &str) -> Result<u32, String> {
    text.strip_suffix("MiB")
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| number.is_power_of_two() && *number <= 32)
        .map(|number| number * MIB)
        .ok_or_else(|| "it is not 1, 2, 4, 8, 16 or 32MiB".to_owned())
}
