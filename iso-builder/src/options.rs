//! What a build is asked for, and the names that follow from the image when they are not given.

use std::path::{Path, PathBuf};

use embed::contract::iso::EMBED_AREA_SIZE;
use installer::verify::{Keyring, SignaturePolicy};

use crate::iso::{Timestamp, VolumeId};
use crate::rootfs::CompressionLevel;

/// Smallest embed area, bytes: a sector.
const MIN_EMBED_AREA: u64 = 2048;
/// Largest embed area, bytes: what the tools that edit it read.
const MAX_EMBED_AREA: u64 = 64 << 20;

/// Everything that a build depends on, besides the host's tools.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// What the media are made from.
    pub source: Source,
    /// Name of the OS; files are named after it.
    pub name: MediaName,
    /// Version of the OS; from the image's digest when absent.
    pub version: Option<String>,
    /// Kernel arguments for the live system, besides those of the image.
    pub live_kargs: Vec<String>,
    /// Label of the ISO; from name and version when absent.
    pub volume_id: Option<VolumeId>,
    /// Bytes for an embedded config.
    pub embed_area: EmbedArea,
    /// zstd level of the rootfs.
    pub level: CompressionLevel,
    /// Time stamp of everything that is made.
    pub time: Timestamp,
    /// Whether the image itself goes beside the media.
    pub publish_image: bool,
    /// ID, fingerprint or user of the secret key that signs manifest and ISO.
    pub sign_key: Option<String>,
    /// Directory for the results.
    pub out: PathBuf,
}

/// What media are made from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A published image.
    Image(ImageSource),
    /// Live parts that are there already.
    Parts(PartsSource),
}

impl Source {
    /// The file that errors name.
    pub fn path(&self) -> &Path {
        match self {
            Self::Image(from) => &from.image,
            Self::Parts(from) => match &from.image {
                Some(image) => &image.image,
                None => &from.kernel,
            },
        }
    }
}

/// A published image.
#[derive(Clone, Debug)]
pub struct ImageSource {
    /// The image as published.
    pub image: PathBuf,
    /// Its detached signature, when it is not `IMAGE.sig`.
    pub signature: Option<PathBuf>,
    /// What to do without a signature.
    pub policy: SignaturePolicy,
    /// Whose signatures count.
    pub keyring: Keyring,
    /// The live module for an initramfs that has none.
    pub live_module: Option<PathBuf>,
}

/// Live parts that are there already.
#[derive(Clone, Debug)]
pub struct PartsSource {
    /// The kernel.
    pub kernel: PathBuf,
    /// The live initramfs.
    pub initramfs: PathBuf,
    /// The rootfs that it waits for.
    pub rootfs: PathBuf,
    /// The image of the same build, where the parts do not hold it: those of another builder.
    pub image: Option<ImageSource>,
}

/// Name that files of a build start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaName(String);

/// A text that cannot be a name of files.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` cannot name media: letters, digits, `.`, `-` and `_` can, after a letter or digit")]
pub struct MediaNameError(pub String);

impl MediaName {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, MediaNameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts || text.len() > 128 || !text.chars().all(allowed) {
            return Err(MediaNameError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The OS's name as far as the image's file name tells: without compression, format, machine
    /// and platform (`os-1.0-metal.x86_64.raw.xz` is `os-1.0`).
    pub fn of_image(image: &Path) -> Result<Self, MediaNameError> {
        let whole = image.file_name().unwrap_or_default().to_string_lossy();
        let mut name: &str = &whole;
        for suffix in [
            ".xz", ".gz", ".zst", ".raw", ".img", ".4k", ".x86_64", ".aarch64", "-metal",
            "-metal4k",
        ] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
        Self::new(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Size of the embed area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedArea(u64);

/// A size that no tool could use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an embed area has {MIN_EMBED_AREA} bytes to 64 MiB, not `{0}`")]
pub struct EmbedAreaError(pub String);

impl Default for EmbedArea {
    fn default() -> Self {
        Self(EMBED_AREA_SIZE)
    }
}

impl EmbedArea {
    /// Reads a number of bytes, `KiB` or `MiB`.
    pub fn parse(text: &str) -> Result<Self, EmbedAreaError> {
        let bad = || EmbedAreaError(text.to_owned());
        let (digits, unit) = text.split_at(
            text.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len()),
        );
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            _ => return Err(bad()),
        };
        let bytes = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .ok_or_else(bad)?;
        match bytes {
            MIN_EMBED_AREA..=MAX_EMBED_AREA => Ok(Self(bytes)),
            _ => Err(bad()),
        }
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_comes_from_the_image_without_what_is_not_the_os() {
        let name = |path: &str| {
            MediaName::of_image(Path::new(path))
                .unwrap()
                .as_str()
                .to_owned()
        };
        assert_eq!(name("/x/os-metal.raw.xz"), "os");
        assert_eq!(
            name("some-os-39.20231101.3.0-metal.x86_64.raw.xz"),
            "some-os-39.20231101.3.0"
        );
        assert_eq!(name("disk.img"), "disk");
        assert_eq!(
            MediaName::of_image(Path::new("-metal.raw")),
            Err(MediaNameError(String::new()))
        );
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        for bad in ["", ".os", "-os", "a/b", "a b", "ä"] {
            assert_eq!(MediaName::new(bad), Err(MediaNameError(bad.to_owned())));
        }
    }

    #[test]
    fn embed_area_has_units_and_limits() {
        assert_eq!(EmbedArea::parse("512KiB").unwrap().bytes(), 524_288);
        assert_eq!(EmbedArea::parse("1 MiB").unwrap().bytes(), 1 << 20);
        assert_eq!(EmbedArea::parse("2048").unwrap().bytes(), 2048);
        for bad in [
            "",
            "2047",
            "65MiB",
            "1GiB",
            "1kb",
            "-1",
            "99999999999999999999",
        ] {
            assert_eq!(EmbedArea::parse(bad), Err(EmbedAreaError(bad.to_owned())));
        }
    }
}
