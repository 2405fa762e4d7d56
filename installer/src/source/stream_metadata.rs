//! Stream metadata: which artifacts a stream publishes, as JSON documents of the shape
//! `architectures.ARCH.artifacts.PLATFORM.formats.FORMAT.TYPE.{location, signature, sha256}`
//! (coreos/stream-metadata). Unknown members are ignored; ours, which others ignore, is
//! `chunks.{location, signature}`: the chunk manifest of a packed image.

use std::collections::BTreeMap;

use embed::digest::Sha256Digest;
use serde::Deserialize;

use super::http::{Fetcher, is_directory, manifest_url, on_mirror, signature_url};
use super::{Access, DigestAuthority, ExpectedDigest, SourceError, StreamQuery, named};
use crate::cancel::Cancel;
use crate::observe::Observer;

/// Where the metadata is unless the user names another place.
pub const DEFAULT_BASE_URL: &str = "https://builds.coreos.fedoraproject.org/streams/";

/// The largest metadata document that is read, bytes.
const MAX_METADATA: u64 = 16 * 1024 * 1024;

/// A stream's document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StreamMetadata {
    /// Stream name.
    pub stream: String,
    /// By architecture.
    pub architectures: BTreeMap<String, Architecture>,
}

/// What a stream has for an architecture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Architecture {
    /// By platform.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Platform>,
}

/// What a stream has for a platform.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// What these artifacts are called together.
    #[serde(default)]
    pub release: Option<String>,
    /// By format, then by artifact type (`disk`; for pxe `kernel`, `initramfs`, `rootfs`).
    #[serde(default)]
    pub formats: BTreeMap<String, BTreeMap<String, Artifact>>,
}

/// One published file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// URL of the file.
    pub location: String,
    /// URL of its detached signature.
    pub signature: String,
    /// Digest of the file's bytes.
    #[serde(default)]
    pub sha256: Option<Sha256Digest>,
    /// Its chunk manifest, if it is a packed image.
    #[serde(default)]
    pub chunks: Option<ChunkList>,
}

/// Where a chunk manifest is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChunkList {
    /// URL of the manifest.
    pub location: String,
    /// URL of its detached signature.
    pub signature: String,
}

impl Artifact {
    /// The file at `url`, signed by the one at the same path with `.sig` appended.
    pub(crate) fn at(url: &str) -> Result<Self, SourceError> {
        Ok(Self {
            location: url.to_owned(),
            signature: signature_url(url)?,
            sha256: None,
            chunks: None,
        })
    }

    /// Where its chunk manifest may be: where the metadata says, else beside a file whose name is
    /// that of a packed image.
    pub(crate) fn manifest(&self) -> Option<ChunkList> {
        let beside = || {
            let location = manifest_url(&self.location)?;
            let signature = signature_url(&location).ok()?;
            Some(ChunkList {
                location,
                signature,
            })
        };
        self.chunks.clone().or_else(beside)
    }

    /// This file's places: its own, and then those on `mirrors`.
    pub(crate) fn with_mirrors(&self, mirrors: &[String]) -> Result<Vec<Self>, SourceError> {
        let mut places = vec![self.clone()];
        for mirror in mirrors {
            let location = on_mirror(mirror, &self.location)?;
            let chunks = match &self.chunks {
                Some(list) if is_directory(mirror)? => {
                    let location = on_mirror(mirror, &list.location)?;
                    Some(ChunkList {
                        signature: signature_url(&location)?,
                        location,
                    })
                }
                _ => None,
            };
            places.push(Self {
                signature: signature_url(&location)?,
                location,
                sha256: self.sha256,
                chunks,
            });
        }
        Ok(places)
    }

    pub(crate) fn expected_digest(&self) -> Option<ExpectedDigest> {
        let authority = DigestAuthority::StreamMetadata;
        self.sha256
            .map(|sha256| ExpectedDigest { sha256, authority })
    }
}

impl StreamMetadata {
    /// Fetches the document of `stream` below `base_url`.
    pub fn fetch(
        base_url: &str,
        stream: &str,
        access: &Access,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, SourceError> {
        let named = named(named_base(base_url), &[]);
        let fetcher = Fetcher::new(access, &named, observer, cancel)?;
        fetch_with(&fetcher, base_url, stream)
    }

    /// Fetches the document at `url`, which the user named.
    pub fn fetch_at(
        url: &str,
        access: &Access,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, SourceError> {
        document(&Fetcher::new(access, &[url], observer, cancel)?, url)
    }

    /// What a platform's artifacts are called together, if the stream tells.
    pub fn release(&self, query: &StreamQuery) -> Option<&str> {
        let architecture = self.architectures.get(&query.architecture)?;
        let platform = architecture.artifacts.get(&query.platform)?;
        platform.release.as_deref()
    }

    /// All artifacts of a format, by type.
    pub fn artifacts(
        &self,
        query: &StreamQuery,
    ) -> Result<&BTreeMap<String, Artifact>, SourceError> {
        self.architectures
            .get(&query.architecture)
            .and_then(|a| a.artifacts.get(&query.platform))
            .and_then(|p| p.formats.get(&query.format))
            .ok_or_else(|| SourceError::NoArtifact {
                stream: query.stream.clone(),
                architecture: query.architecture.clone(),
                platform: query.platform.clone(),
                format: query.format.clone(),
            })
    }

    /// The artifact to install for `query`: the packed form of its format (`raw.zst` for `raw.xz`)
    /// if the stream names a chunk manifest for it, unless a digest is wanted that is another's.
    pub(crate) fn to_install(
        &self,
        query: &StreamQuery,
        wanted: Option<Sha256Digest>,
    ) -> Result<&Artifact, SourceError> {
        let packed = query.format.strip_suffix(".xz").and_then(|stem| {
            let format = format!("{stem}.zst");
            let query = StreamQuery {
                format,
                ..query.clone()
            };
            self.image(&query).ok()
        });
        match packed {
            Some(packed)
                if packed.chunks.is_some() && (wanted.is_none() || packed.sha256 == wanted) =>
            {
                Ok(packed)
            }
            _ => self.image(query),
        }
    }

    /// The artifact of a format that consists of one.
    pub fn image(&self, query: &StreamQuery) -> Result<&Artifact, SourceError> {
        let artifacts = self.artifacts(query)?;
        match (artifacts.values().next(), artifacts.len()) {
            (Some(artifact), 1) => Ok(artifact),
            (_, count) => Err(SourceError::SeveralArtifacts {
                stream: query.stream.clone(),
                format: query.format.clone(),
                count,
            }),
        }
    }
}

/// The base URL, if it is the user's choice.
fn named_base(base_url: &str) -> Option<&str> {
    Some(base_url).filter(|url| *url != DEFAULT_BASE_URL)
}

impl StreamQuery {
    /// The URLs that the user named.
    pub(crate) fn named(&self) -> Vec<&str> {
        named(named_base(&self.base_url), &self.mirrors)
    }
}

pub(crate) fn fetch_with(
    fetcher: &Fetcher<'_>,
    base_url: &str,
    stream: &str,
) -> Result<StreamMetadata, SourceError> {
    let url = format!("{}/{stream}.json", base_url.trim_end_matches('/'));
    document(fetcher, &url)
}

fn document(fetcher: &Fetcher<'_>, url: &str) -> Result<StreamMetadata, SourceError> {
    let bytes = fetcher.get_small(url, MAX_METADATA)?;
    serde_json::from_slice(&bytes).map_err(|source| SourceError::Metadata {
        url: url.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"stream":"stable","metadata":{"last-modified":"x"},"architectures":{"x86_64":{
        "artifacts":{"metal":{"release":"1","formats":{
          "raw.xz":{"disk":{"location":"http://h/i.raw.xz","signature":"http://h/i.raw.xz.sig",
            "sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
          "pxe":{"kernel":{"location":"http://h/k","signature":"http://h/k.sig"},
                 "rootfs":{"location":"http://h/r","signature":"http://h/r.sig"}}}}},
        "images":{}}}}"#;

    fn query(format: &str) -> StreamQuery {
        StreamQuery {
            base_url: "http://h/streams/".into(),
            stream: "stable".into(),
            architecture: "x86_64".into(),
            platform: "metal".into(),
            format: format.into(),
            mirrors: vec!["http://m/d/".into(), "http://n/other.xz?t=1".into()],
            access: Access::default(),
        }
    }

    #[test]
    fn a_mirror_is_a_directory_or_a_file_and_has_the_signature_beside_it() {
        let metadata: StreamMetadata = serde_json::from_str(DOC).unwrap();
        let query = query("raw.xz");
        let places = metadata
            .image(&query)
            .unwrap()
            .with_mirrors(&query.mirrors)
            .unwrap();
        let urls: Vec<_> = places
            .iter()
            .map(|p| (p.location.as_str(), p.signature.as_str()))
            .collect();
        assert_eq!(
            urls,
            [
                ("http://h/i.raw.xz", "http://h/i.raw.xz.sig"),
                ("http://m/d/i.raw.xz", "http://m/d/i.raw.xz.sig"),
                ("http://n/other.xz?t=1", "http://n/other.xz.sig?t=1"),
            ]
        );
        assert!(
            places
                .iter()
                .all(|p| p.sha256 == Some(Sha256Digest::of(b"")))
        );
    }

    #[test]
    fn an_install_takes_the_packed_form_of_a_format_if_its_manifest_is_named() {
        let digest = |text: &str| Sha256Digest::of(text.as_bytes());
        let disk = |name: &str, more: &str| {
            let sha256 = digest(name);
            format!(
                r#"{{"disk":{{"location":"http://h/{name}","signature":"http://h/{name}.sig","sha256":"{sha256}"{more}}}}}"#
            )
        };
        let list = r#","chunks":{"location":"http://h/d/l.json","signature":"http://h/s"}"#;
        let metadata = |more: &str| -> StreamMetadata {
            let (xz, zst) = (disk("i.raw.xz", ""), disk("i.raw.zst", more));
            let doc = format!(
                r#"{{"stream":"stable","architectures":{{"x86_64":{{"artifacts":{{"metal":{{"formats":{{
                "raw.xz":{xz},"raw.zst":{zst}}}}}}}}}}}}}"#
            );
            serde_json::from_str(&doc).unwrap()
        };
        for (more, format, wanted, expected) in [
            (list, "raw.xz", None, "http://h/i.raw.zst"),
            ("", "raw.xz", None, "http://h/i.raw.xz"),
            (list, "raw.zst", None, "http://h/i.raw.zst"),
            (list, "raw.xz", Some("i.raw.xz"), "http://h/i.raw.xz"),
            (list, "raw.xz", Some("i.raw.zst"), "http://h/i.raw.zst"),
        ] {
            let metadata = metadata(more);
            let wanted = wanted.map(digest);
            let artifact = metadata.to_install(&query(format), wanted).unwrap();
            assert_eq!(artifact.location, expected, "{format} {more} {wanted:?}");
        }
        let metadata = metadata(list);
        let packed = metadata.to_install(&query("raw.xz"), None).unwrap();
        let mirrors = [
            "http://m/d/".to_owned(),
            "http://n/o.raw.zst?t=1".to_owned(),
        ];
        let lists: Vec<_> = packed
            .with_mirrors(&mirrors)
            .unwrap()
            .iter()
            .filter_map(Artifact::manifest)
            .map(|list| (list.location, list.signature))
            .collect();
        let expected = [
            ("http://h/d/l.json", "http://h/s"),
            ("http://m/d/l.json", "http://m/d/l.json.sig"),
            (
                "http://n/o.chunks.json?t=1",
                "http://n/o.chunks.json.sig?t=1",
            ),
        ];
        assert_eq!(lists, expected.map(|(l, s)| (l.to_owned(), s.to_owned())));
    }

    #[test]
    fn headers_are_for_servers_that_the_user_named() {
        let mut query = query("raw.xz");
        assert_eq!(query.named()[0], "http://h/streams/");
        query.base_url = DEFAULT_BASE_URL.into();
        assert_eq!(query.named(), ["http://m/d/", "http://n/other.xz?t=1"]);
    }

    #[test]
    fn an_image_is_found_by_architecture_platform_and_format() {
        let metadata: StreamMetadata = serde_json::from_str(DOC).unwrap();
        let image = metadata.image(&query("raw.xz")).unwrap();
        assert_eq!(image.location, "http://h/i.raw.xz");
        assert_eq!(image.sha256, Some(Sha256Digest::of(b"")));
        assert_eq!(metadata.release(&query("raw.xz")), Some("1"));
    }

    #[test]
    fn a_format_of_several_files_is_no_image() {
        let metadata: StreamMetadata = serde_json::from_str(DOC).unwrap();
        let error = metadata.image(&query("pxe")).unwrap_err();
        assert!(
            matches!(error, SourceError::SeveralArtifacts { count: 2, .. }),
            "{error:?}"
        );
        assert_eq!(metadata.artifacts(&query("pxe")).unwrap().len(), 2);
    }

    #[test]
    fn a_missing_format_is_named() {
        let metadata: StreamMetadata = serde_json::from_str(DOC).unwrap();
        let error = metadata.image(&query("4k.raw.xz")).unwrap_err();
        assert!(matches!(error, SourceError::NoArtifact { format, .. } if format == "4k.raw.xz"));
    }
}
