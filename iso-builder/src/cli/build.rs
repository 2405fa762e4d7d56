//! `iso-builder build`: options, progress, and what is said at the end.

use std::env;
use std::path::PathBuf;

use clap::Args;
use installer::cancel::Cancel;
use installer::verify::{Keyring, SignaturePolicy, Trust};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::output::{self, Progress, mebibytes};
use crate::build::{Built, build};
use crate::iso::{Timestamp, VolumeId};
use crate::options::{BuildOptions, EmbedArea, ImageSource, MediaName, PartsSource, Source};
use crate::rootfs::CompressionLevel;
use crate::tools::HostTools;

const EXAMPLE: &str = "Example:\n  \
    iso-builder build --image os-metal.raw.xz --keyring os.gpg -o out/";
/// Where an installation has the live module, seen from the program's directory.
const MODULE: &str = "../lib/coreos-metal/live-module.cpio";
/// Longest version: it is a line in stamps and a part of the label.
const MAX_VERSION: usize = 64;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct BuildArgs {
    /// OS image: raw, or compressed with gzip, xz or zstd; with parts of
    /// another builder, the image of the same build
    #[arg(long, value_name = "FILE", required_unless_present = "kernel")]
    image: Option<PathBuf>,
    /// Live kernel to pack as it is, in place of an image
    #[arg(long, value_name = "FILE", requires_all = ["initramfs", "rootfs", "name"])]
    #[arg(conflicts_with = "compression_level")]
    kernel: Option<PathBuf>,
    /// Live initramfs to pack, made live already
    #[arg(long, value_name = "FILE", requires = "kernel")]
    initramfs: Option<PathBuf>,
    /// Rootfs to pack, the one that the initramfs waits for
    #[arg(long, value_name = "FILE", requires = "kernel")]
    rootfs: Option<PathBuf>,
    /// Detached OpenPGP signature [default: IMAGE.sig]
    #[arg(long, value_name = "FILE", requires = "image")]
    sig: Option<PathBuf>,
    /// OpenPGP keys that may have signed the image, besides those of this system
    #[arg(long, value_name = "FILE", requires = "image")]
    keyring: Vec<PathBuf>,
    /// Take an image that has no signature
    #[arg(long, requires = "image")]
    insecure: bool,
    /// Live module for an image whose initramfs has none; `coreos-live pack-module` writes it
    /// [default: ../lib/coreos-metal/live-module.cpio beside this program]
    #[arg(long, value_name = "FILE", conflicts_with = "kernel")]
    live_module: Option<PathBuf>,
    /// Name of the OS; files are named after it [default: from the image's file name]
    #[arg(long, value_parser = MediaName::new)]
    name: Option<MediaName>,
    /// Version of the OS [default: the first 12 digits of the image's sha256]
    #[arg(long, value_parser = version, requires = "image")]
    version: Option<String>,
    /// Kernel argument for the live system, besides those of the image (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    live_karg: Vec<String>,
    /// Label of the ISO [default: NAME-VERSION]
    #[arg(long, value_name = "LABEL", value_parser = VolumeId::new)]
    volume_id: Option<VolumeId>,
    /// Room for an Ignition config embedded later, in bytes, KiB or MiB [default: 256KiB]
    #[arg(long, value_name = "SIZE", value_parser = EmbedArea::parse)]
    embed_area: Option<EmbedArea>,
    /// zstd level of the rootfs, 1 (fast) to 22 (small) [default: 3]
    #[arg(long, value_name = "N", value_parser = level)]
    compression_level: Option<CompressionLevel>,
    /// Sign the manifest and the ISO with this secret key: ID, fingerprint or user
    #[arg(long, value_name = "KEY")]
    sign: Option<String>,
    /// Do not put the image itself beside the media
    #[arg(long, requires = "image")]
    no_image: bool,
    /// Directory for the results; made if missing
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// A default or a variable of the environment that does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum UsageError {
    /// The image's file name tells no name.
    #[error("cannot name the media after {image}")]
    Name {
        /// The image.
        image: PathBuf,
        /// Why.
        #[source]
        source: crate::options::MediaNameError,
    },
    /// Not a time.
    #[error("SOURCE_DATE_EPOCH is `{0}`, not seconds from 1980 to 2106")]
    Epoch(String),
}

impl BuildArgs {
    /// Builds, and says what was made.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let options = self.options()?;
        let tools = HostTools::find()?;
        let cancel = Cancel::new();
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, cancel.as_flag())?;
        }
        let progress = Progress::new();
        let built = build(&options, &tools, &progress, &cancel);
        progress.finish();
        output::tell(&summary(&built?, &options));
        Ok(())
    }

    fn options(self) -> Result<BuildOptions, UsageError> {
        let name = match (self.name, &self.image) {
            (Some(name), _) => name,
            (None, image) => {
                let image = image.clone().unwrap_or_default();
                MediaName::of_image(&image).map_err(|source| UsageError::Name { image, source })?
            }
        };
        let policy = match self.insecure {
            true => SignaturePolicy::TolerateAbsent,
            false => SignaturePolicy::Require,
        };
        let image = |image| ImageSource {
            image,
            signature: self.sig,
            policy,
            keyring: self
                .keyring
                .into_iter()
                .fold(Keyring::system(), Keyring::with_file),
            live_module: self.live_module.or_else(installed_module),
        };
        let source = match (self.kernel, self.initramfs, self.rootfs) {
            (Some(kernel), Some(initramfs), Some(rootfs)) => Source::Parts(PartsSource {
                kernel,
                initramfs,
                rootfs,
                image: self.image.map(image),
            }),
            _ => Source::Image(image(self.image.unwrap_or_default())),
        };
        Ok(BuildOptions {
            source,
            name,
            version: self.version,
            live_kargs: self.live_karg,
            volume_id: self.volume_id,
            embed_area: self.embed_area.unwrap_or_default(),
            level: self.compression_level.unwrap_or(CompressionLevel::DEFAULT),
            time: source_date(env::var_os("SOURCE_DATE_EPOCH"))?,
            publish_image: !self.no_image,
            sign_key: self.sign,
            out: self.output,
        })
    }
}

/// The live module that was installed with this program.
fn installed_module() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let dir = program.parent()?;
    let places = [MODULE.to_owned(), format!("../lib/coreos-metal/{MODULE}")];
    places
        .into_iter()
        .map(|place| dir.join(place))
        .find(|path| path.is_file())
}

fn version(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_graphic();
    if text.is_empty() || text.len() > MAX_VERSION || !text.chars().all(allowed) {
        return Err(format!(
            "a version has 1 to {MAX_VERSION} visible ASCII characters"
        ));
    }
    Ok(text.to_owned())
}

fn level(text: &str) -> Result<CompressionLevel, String> {
    let level = text.parse().ok().and_then(CompressionLevel::new);
    level.ok_or_else(|| "a level is a number from 1 to 22".to_owned())
}

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date(value: Option<std::ffi::OsString>) -> Result<Timestamp, UsageError> {
    let Some(value) = value else {
        return Ok(Timestamp::EARLIEST_COMMON);
    };
    let text = value.to_string_lossy();
    let time = text.parse().ok().map(Timestamp::from_unix);
    let allowed = time.filter(|time| *time >= Timestamp::EARLIEST_COMMON);
    allowed.ok_or_else(|| UsageError::Epoch(text.into_owned()))
}

fn summary(built: &Built, options: &BuildOptions) -> String {
    let trust = match &built.trust {
        Trust::Signature { key, .. } => format!("signed by {key}"),
        Trust::Digest(digest) => format!("sha256 {digest}"),
        _ => "NOT verified: --insecure was given and the image has no signature".to_owned(),
    };
    let manifest = &built.manifest;
    let mut out = format!(
        "image: {} {}, {trust}\n",
        manifest.source.name, manifest.source.version
    );
    let parts = [
        manifest.iso.as_ref(),
        Some(&manifest.kernel),
        Some(&manifest.initramfs),
        Some(&manifest.rootfs),
    ];
    for part in parts.into_iter().flatten() {
        let path = options.out.join(&part.file);
        out.push_str(&format!(
            "{:>9.1} MiB  {}\n",
            mebibytes(part.size),
            path.display()
        ));
    }
    out.push_str(&format!("label: {}\n", built.volume_id.as_str()));
    if let Some(key) = &built.signed_by {
        out.push_str(&format!("manifest and ISO signed by {key}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_date_epoch_is_honoured_within_what_all_formats_hold() {
        let date = |text: &str| source_date(Some(text.into()));
        assert_eq!(source_date(None).unwrap(), Timestamp::EARLIEST_COMMON);
        assert_eq!(
            date("1700000000").unwrap(),
            Timestamp::from_unix(1_700_000_000)
        );
        for bad in ["", "0", "-1", "315532799", "4294967296", "now"] {
            assert!(matches!(date(bad), Err(UsageError::Epoch(text)) if text == bad));
        }
    }

    #[test]
    fn level_and_version_are_checked() {
        assert!(
            level("22").is_ok()
                && level("0").is_err()
                && level("23").is_err()
                && level("x").is_err()
        );
        assert!(version("39.1~rc").is_ok() && version("").is_err() && version("a\nb").is_err());
    }
}
