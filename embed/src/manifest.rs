//! `manifest.json`: what the media builder made and the server serves. The two meet only here.
//!
//! File names are relative to the manifest and hold no directory; a reader that finds a `/`, `..`
//! or an absolute path refuses the whole manifest.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::medium::LiveImage;

/// Version of this document that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// One file beside the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Artifact {
    /// File name, without any directory.
    pub file: String,
    /// Size, bytes.
    pub size: u64,
    /// Digest of the file's bytes.
    pub sha256: Sha256Digest,
}

/// The OS image as published (often compressed), for installs by URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageArtifact {
    /// The image file.
    pub artifact: Artifact,
    /// File name of its detached OpenPGP signature.
    pub signature: Option<String>,
    /// Its chunk manifest, if it is a packed image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<ChunkList>,
}

/// The chunk manifest of a packed image ([`crate::chunks`]), in the form and under the name in which
/// it was published: installs find it by that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChunkList {
    /// File name.
    pub file: String,
    /// File name of its detached OpenPGP signature.
    pub signature: Option<String>,
}

/// Everything made from one image in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The image that is inside the rootfs.
    pub source: LiveImage,
    /// Kernel arguments that every live boot of this set needs.
    pub kargs: Vec<String>,
    /// Live kernel.
    pub kernel: Artifact,
    /// Live initramfs.
    pub initramfs: Artifact,
    /// Live rootfs archive.
    pub rootfs: Artifact,
    /// Live ISO, when one was made.
    #[serde(default)]
    pub iso: Option<Artifact>,
    /// The published image, when it was put beside the manifest.
    #[serde(default)]
    pub image: Option<ImageArtifact>,
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON of this shape.
    #[error("manifest is not valid")]
    Syntax(#[source] serde_json::Error),
    /// Made by a newer builder.
    #[error("manifest has format {0}; this program reads up to {FORMAT}")]
    Newer(u32),
    /// A name that leaves the manifest's directory.
    #[error("manifest names the file `{0}`; only plain file names are allowed")]
    FileName(String),
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(json).map_err(ManifestError::Syntax)?;
        if head.format > FORMAT {
            return Err(ManifestError::Newer(head.format));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(ManifestError::Syntax)?;
        for name in manifest.file_names() {
            if !is_plain_file_name(name) {
                return Err(ManifestError::FileName(name.to_owned()));
            }
        }
        Ok(manifest)
    }

    /// Pretty JSON with a final newline; the same value gives the same bytes.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// All file names that the manifest mentions.
    pub fn file_names(&self) -> Vec<&str> {
        let artifacts = [
            Some(&self.kernel),
            Some(&self.initramfs),
            Some(&self.rootfs),
            self.iso.as_ref(),
        ];
        let mut names: Vec<&str> = artifacts
            .into_iter()
            .flatten()
            .map(|a| a.file.as_str())
            .collect();
        if let Some(image) = &self.image {
            names.push(&image.artifact.file);
            names.extend(image.signature.as_deref());
            if let Some(list) = &image.chunks {
                names.push(&list.file);
                names.extend(list.signature.as_deref());
            }
        }
        names
    }
}

fn is_plain_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let artifact = |file: &str| Artifact {
            file: file.into(),
            size: 1,
            sha256: Sha256Digest::of(b"x"),
        };
        Manifest {
            format: FORMAT,
            source: LiveImage {
                name: "os".into(),
                version: "1".into(),
                architecture: "x86_64".into(),
                sector_size: 512,
                size: 1,
                sha256: Sha256Digest::of(b"x"),
            },
            kargs: vec!["ignition.firstboot".into()],
            kernel: artifact("k"),
            initramfs: artifact("i"),
            rootfs: artifact("r"),
            iso: None,
            image: Some(ImageArtifact {
                artifact: artifact("m"),
                signature: Some("m.sig".into()),
                chunks: Some(ChunkList {
                    file: "m.chunks.json".into(),
                    signature: Some("m.chunks.json.sig".into()),
                }),
            }),
        }
    }

    #[test]
    fn round_trips() {
        let manifest = sample();
        assert_eq!(
            Manifest::parse(manifest.to_json().as_bytes()).unwrap(),
            manifest
        );
    }

    #[test]
    fn refuses_names_that_leave_the_directory() {
        for bad in ["../k", "/etc/passwd", "", "..", "a\\b"] {
            let refused = |change: fn(&mut ImageArtifact, String)| {
                let mut manifest = sample();
                change(manifest.image.as_mut().unwrap(), bad.into());
                let error = Manifest::parse(manifest.to_json().as_bytes()).unwrap_err();
                assert!(matches!(error, ManifestError::FileName(name) if name == bad));
            };
            refused(|image, bad| image.signature = Some(bad));
            refused(|image, bad| image.chunks.as_mut().unwrap().file = bad);
            refused(|image, bad| image.chunks.as_mut().unwrap().signature = Some(bad));
        }
    }

    #[test]
    fn a_document_of_an_image_that_is_not_packed_has_nothing_new() {
        let mut manifest = sample();
        manifest.image.as_mut().unwrap().chunks = None;
        let json = manifest.to_json();
        assert!(!json.contains("chunks"), "{json}");
        assert_eq!(Manifest::parse(json.as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn refuses_a_newer_format_by_its_number() {
        let text = sample().to_json().replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(
            Manifest::parse(text.as_bytes()),
            Err(ManifestError::Newer(2))
        ));
    }
}
