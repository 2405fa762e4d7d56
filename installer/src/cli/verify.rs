//! `verify`: whether an image is what its publisher signed, by whom and when; nothing is written.
//! A packed image is checked by its chunk manifest, if it has one, and always to the last byte.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::digest::Sha256Digest;
use indicatif::BinaryBytes;
use jiff::Timestamp;
use serde::Serialize;

use super::access::{AccessArgs, KeyringArgs};
use super::watching::{ResultForm, WatchArgs, report};
use super::{CliError, files};
use crate::cancel::Cancel;
use crate::image::{ImageFacts, SignaturePlace, Terms, read_verified};
use crate::observe::Observer;
use crate::pipeline::ImageError;
use crate::plan::parse_image_digest;
use crate::source::{self, Access, Location, ManifestPlace};
use crate::ui;
use crate::verify::{SignaturePolicy, Trust, Verified, VerifyError};

pub(super) const EXAMPLES: &str = "\
Examples:
  coreos-installer verify os.raw.xz
  coreos-installer verify https://mirror.example/os.raw.xz os.raw.xz.sig
  coreos-installer verify --keyring os.gpg --json os.raw.zst";

/// Options of `verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// Image, a file or an http(s) URL
    #[arg(value_hint = ValueHint::AnyPath)]
    image: String,
    /// Its signature, a file or an http(s) URL [default: IMAGE.sig]
    ///
    /// Of a packed image with a chunk manifest, the manifest's signature is what counts, unless SIG
    /// is given.
    #[arg(value_hint = ValueHint::AnyPath)]
    sig: Option<String>,
    /// Chunk manifest of a packed image: file, URL, or `none`
    ///
    /// [default: NAME.chunks.json beside NAME.raw.zst, if it is there]
    #[arg(long, value_name = "FROM", conflicts_with = "sig", value_hint = ValueHint::AnyPath)]
    image_manifest: Option<ManifestPlace>,
    #[command(flatten)]
    keyring: KeyringArgs,
    /// Digest that the image must have as published, sha256-HEX
    ///
    /// Enough in place of a signature. One that is there must be good all the same.
    #[arg(long, value_name = "DIGEST", value_parser = parse_image_digest)]
    image_digest: Option<Sha256Digest>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

impl VerifyArgs {
    pub(super) fn run(self) -> Result<()> {
        let watcher = self.watch.start()?;
        let cancel = ui::cancel_on_signals()?;
        let access = self.access.into_access();
        let sig = match &self.sig {
            Some(sig) => Some(signature(sig, &access, &watcher, &cancel)?),
            None => None,
        };
        let terms = Terms {
            manifest: &self.image_manifest.unwrap_or_default(),
            signature: match &sig {
                Some(sig) => SignaturePlace::Given(sig),
                None => SignaturePlace::Beside,
            },
            digest: self.image_digest,
            policy: SignaturePolicy::Require,
            keyring: &self.keyring.into_keyring(),
        };
        let read = read_verified(&location(self.image, access), &terms, &watcher, &cancel);
        watcher.finish();
        let (verified, facts) = read.map_err(refusal)?;
        let found = Report::new(&verified, facts);
        report(&watcher, &found, ResultForm::of(self.json), Report::text)
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn location(image: String, access: Access) -> Location {
    match is_url(&image) {
        true => Location::Url {
            url: image,
            mirrors: Vec::new(),
            access,
        },
        false => Location::File(image.into()),
    }
}

fn signature(
    sig: &str,
    access: &Access,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<u8>> {
    if is_url(sig) {
        let fetcher = source::http::Fetcher::new(access, &[sig], observer, cancel)?;
        Ok(fetcher.get_small(sig, source::MAX_SIGNATURE)?)
    } else {
        files::read_config(Some(Path::new(sig))).context("reading the signature")
    }
}

/// Here nobody can go on without a signature, unlike in an install.
fn refusal(error: ImageError) -> anyhow::Error {
    match error {
        ImageError::Verify(VerifyError::NoSignature {
            name, looked_at, ..
        }) => CliError::NothingVouches { name, looked_at }.into(),
        error => error.into(),
    }
}

/// What was found out.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    image: String,
    /// Bytes as published.
    size: u64,
    signed_by: Option<SignedBy>,
    /// Whether the digest that the user gave is all that vouches for it.
    digest_only: bool,
    /// The chunk manifest that it was checked by.
    chunk_manifest: Option<ChunkManifest>,
    raw: Raw,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ChunkManifest {
    name: String,
    /// Chunks of data, each of which was checked.
    chunks: usize,
    chunk_size: u32,
    /// Bytes of the raw image that are listed as zeroes.
    zeroes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SignedBy {
    key: String,
    user: Option<String>,
    time: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    size: u64,
    sha256: Sha256Digest,
    sector_size: Option<u32>,
}

impl Report {
    fn new(verified: &Verified, facts: ImageFacts) -> Self {
        let signed_by = match verified.trust() {
            Trust::Signature { key, user, time } => Some(SignedBy {
                key: key.clone(),
                user: user.clone(),
                time: time.and_then(rfc3339),
            }),
            Trust::Digest(_) | Trust::InsecureChoice => None,
        };
        Self {
            image: facts.name,
            size: verified.source_bytes(),
            digest_only: signed_by.is_none(),
            signed_by,
            chunk_manifest: facts.list.map(|list| ChunkManifest {
                name: list.manifest,
                chunks: list.chunks,
                chunk_size: list.chunk_size,
                zeroes: list.zeroes,
            }),
            raw: Raw {
                size: facts.size,
                sha256: facts.sha256,
                sector_size: facts.sector_size.map(|sector| sector.bytes()),
            },
        }
    }

    fn text(&self) -> String {
        let size = BinaryBytes(self.size);
        let mut lines = vec![("image", format!("{} ({size} as published)", self.image))];
        match &self.signed_by {
            None => lines.push(("believed", "by the digest that was given".to_owned())),
            Some(signed) => {
                lines.extend(signed.user.clone().map(|user| ("signed by", user)));
                lines.push(("key", signed.key.clone()));
                lines.extend(signed.time.clone().map(|time| ("signed at", time)));
            }
        }
        if let Some(list) = &self.chunk_manifest {
            let (size, zeroes) = (
                BinaryBytes(list.chunk_size.into()),
                BinaryBytes(list.zeroes),
            );
            lines.push(("signed is", format!("the chunk manifest {}", list.name)));
            let checked = format!("{} chunks of {size}, {zeroes} of zeroes", list.chunks);
            lines.push(("checked", format!("{checked}, the file as published")));
        }
        lines.push(("raw", format!("sha256 {}", self.raw.sha256)));
        let sectors = match self.raw.sector_size {
            Some(bytes) => format!("sectors of {bytes} bytes"),
            None => "no GPT".to_owned(),
        };
        lines.push(("", format!("{} bytes, {sectors}", self.raw.size)));
        let line = |(name, value): &(&str, String)| format!("{name:<10} {value}\n");
        lines.iter().map(line).collect()
    }
}

fn rfc3339(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(format!("{time:.0}"))
}
