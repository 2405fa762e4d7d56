//! `download`: verified artifacts as files, their paths on standard output.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use embed::digest::Sha256Digest;

use super::access::{AccessArgs, KeyringArgs};
use super::watching::{Files, ResultForm, WatchArgs, report};
use crate::download::{Form, Request, Wanted, download};
use crate::plan::parse_image_digest;
use crate::source::stream_metadata::DEFAULT_BASE_URL;
use crate::source::{ManifestPlace, StreamQuery};
use crate::ui;

pub(super) const EXAMPLES: &str = "\
Examples:
  The newest stable metal image, as published, with its signature:
    coreos-installer download
  Kernel, initramfs and rootfs for PXE, into a directory:
    coreos-installer download -s next -f pxe -C /srv/tftp
  One file by its URL, decompressed:
    coreos-installer download -d -u http://mirror.example/os.raw.xz";

/// Options of `download`.
#[derive(Args, Debug)]
pub(super) struct DownloadArgs {
    /// Stream
    #[arg(short, long, value_name = "NAME", default_value = "stable")]
    stream: String,
    /// Architecture [default: this machine's]
    #[arg(short, long, value_name = "NAME", default_value = std::env::consts::ARCH, hide_default_value = true)]
    architecture: String,
    /// Platform
    #[arg(short, long, value_name = "NAME", default_value = "metal")]
    platform: String,
    /// Format; all files that belong to it are fetched
    #[arg(short, long, value_name = "NAME", default_value = "raw.xz")]
    format: String,
    /// Fetch this URL instead; its signature is at URL.sig
    #[arg(short = 'u', long, value_name = "URL", value_hint = ValueHint::Url)]
    image_url: Option<String>,
    /// Directory to write to
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
    /// Decompress the image, and keep no signature
    #[arg(short, long)]
    decompress: bool,
    #[command(flatten)]
    keyring: KeyringArgs,
    /// Take a file that has no signature
    ///
    /// A signature that is there and does not verify is an error all the same.
    #[arg(long)]
    insecure: bool,
    /// Where stream metadata is; NAME.json is joined to it
    #[arg(long, value_name = "URL", default_value = DEFAULT_BASE_URL, value_hint = ValueHint::Url)]
    stream_base_url: String,
    /// Where else the files are, if fetching them fails [repeatable]
    ///
    /// A directory with files of the same names if URL ends in a slash, else the file itself; the
    /// signature lies beside it. Mirrors are asked in order when a place fails for good.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    mirror: Vec<String>,
    /// Digest of the one file as published, sha256-HEX
    ///
    /// Enough in place of a signature. One that is there must be good all the same.
    #[arg(long, value_name = "DIGEST", value_parser = parse_image_digest)]
    image_digest: Option<Sha256Digest>,
    /// Chunk manifest of a packed image: file, URL, or `none`
    ///
    /// Without this, the one beside a file NAME.raw.zst is used and kept if it is there:
    /// NAME.chunks.json.
    #[arg(long, value_name = "FROM")]
    image_manifest: Option<ManifestPlace>,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

impl DownloadArgs {
    pub(super) fn run(self) -> Result<()> {
        let watcher = self.watch.start()?;
        let request = self.into_request();
        let cancel = ui::cancel_on_signals()?;
        let done = download(&request, &watcher, &cancel);
        watcher.finish();
        let mut files = Vec::new();
        for file in done? {
            if file.was_there {
                ui::tell(&format!(
                    "{} was there already and is good",
                    file.path.display()
                ));
            }
            if let Some(manifest) = &file.manifest {
                ui::tell(&format!("its chunk manifest is {}", manifest.display()));
            }
            files.push(file.path);
        }
        report(&watcher, &Files { files }, ResultForm::Text, Files::text)
    }

    fn into_request(self) -> Request {
        let access = self.access.into_access();
        let mirrors = self.mirror;
        let wanted = match self.image_url {
            Some(url) => Wanted::Url {
                url,
                mirrors,
                access,
            },
            None => Wanted::Stream(StreamQuery {
                base_url: self.stream_base_url,
                stream: self.stream,
                architecture: self.architecture,
                platform: self.platform,
                format: self.format,
                mirrors,
                access,
            }),
        };
        Request {
            wanted,
            dir: self.directory,
            form: if self.decompress {
                Form::Decompressed
            } else {
                Form::AsPublished
            },
            digest: self.image_digest,
            manifest: self.image_manifest.unwrap_or_default(),
            policy: super::policy(self.insecure),
            keyring: self.keyring.into_keyring(),
        }
    }
}
