//! What makes an ISO a live one: which image its initramfs and rootfs belong to, what the live
//! system understands, its kernel arguments, and what was embedded after the ISO was made.

use std::io::BufReader;

use embed::contract::{initrd, iso as names};
use embed::initrd::{Archive, Limits};
use embed::iso::{Features, IsoError, IsoReader, LiveIso, MinimalIso};
use embed::medium::LiveImage;
use embed::stream_hash::StreamHash;
use installer::disk::Window;
use serde::Serialize;

use super::InspectError;

/// The live part of an ISO.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Live {
    /// Version of the live set, as the initramfs says.
    pub version: Option<String>,
    /// The OS image in the rootfs.
    pub image: Option<LiveImage>,
    /// Bytes of the chunks that the rootfs is checked by; absent when it is not checked.
    pub rootfs_chunk: Option<usize>,
    /// What the live system understands.
    pub features: Features,
    /// Kernel arguments as they are.
    pub kargs: Option<String>,
    /// Kernel arguments as published.
    pub default_kargs: Option<String>,
    /// Bytes for embedded files, compressed.
    pub embed_area: u64,
    /// What is embedded.
    pub embedded: Vec<EmbeddedFile>,
    /// Whether nothing was embedded or changed.
    pub pristine: bool,
    /// Whether `iso extract minimal-iso` can take the minimal ISO out of it.
    pub holds_minimal_iso: bool,
}

/// A file in the embed area.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EmbeddedFile {
    /// Path in the initramfs of the live system.
    pub path: String,
    /// Size, bytes.
    pub size: u64,
}

/// What an initramfs says of the set it belongs to.
pub(crate) struct Stamps {
    pub(crate) version: Option<String>,
    pub(crate) image: Option<LiveImage>,
    pub(crate) rootfs: Option<StreamHash>,
}

/// Reads the live part of the ISO in `whole`; `None` when it is no live ISO.
pub(super) fn read(whole: &Window) -> Result<Option<Live>, InspectError> {
    let mut iso = match LiveIso::open(whole.clone()) {
        Err(IsoError::NotLive(_)) => return Ok(None),
        other => other.map_err(InspectError::Iso)?,
    };
    let stamps = stamps(iso.files())?;
    let minimal = iso.files().find(names::MINISO).map_err(InspectError::Iso)?;
    // The place for a description may be there and empty.
    let holds_minimal_iso =
        minimal.is_some() && matches!(MinimalIso::find(iso.files()), Ok(Some(_)));
    let embedded = iso.embedded().map_err(InspectError::Iso)?;
    let text = |kargs: Result<embed::kargs::Kargs, IsoError>| kargs.ok().map(|k| k.to_string());
    Ok(Some(Live {
        version: stamps.version,
        image: stamps.image,
        rootfs_chunk: stamps.rootfs.map(|rootfs| rootfs.chunk_size()),
        features: iso.features(),
        kargs: text(iso.kargs()),
        default_kargs: text(iso.default_kargs()),
        embed_area: iso.embed_area().length,
        embedded: embedded
            .iter()
            .map(|(path, bytes)| EmbeddedFile {
                path: path.to_owned(),
                size: bytes.len() as u64,
            })
            .collect(),
        pristine: iso.is_pristine().map_err(InspectError::Iso)?,
        holds_minimal_iso,
    }))
}

/// Reads what the initramfs of `iso` says; nothing when there is none.
pub(crate) fn stamps(iso: &mut IsoReader<Window>) -> Result<Stamps, InspectError> {
    let mut archive = Archive::default();
    if let Some(extent) = iso.find(names::INITRAMFS).map_err(InspectError::Iso)? {
        let content = iso.open_extent(extent).map_err(InspectError::Iso)?;
        let wanted = [initrd::LIVE_STAMP, initrd::LIVE_IMAGE, initrd::WANT_ROOTFS];
        archive = Archive::read_matching(BufReader::new(content), Limits::IMAGE, |path| {
            wanted.contains(&path)
        })
        .map_err(InspectError::Initramfs)?;
    }
    let text = |path| archive.get(path).map(String::from_utf8_lossy);
    let makes_no_sense = |path, source: Box<dyn std::error::Error + Send + Sync>| {
        InspectError::Description { path, source }
    };
    Ok(Stamps {
        version: text(initrd::LIVE_STAMP).map(|text| text.trim_end().to_owned()),
        image: text(initrd::LIVE_IMAGE)
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| makes_no_sense(initrd::LIVE_IMAGE, e.into()))?,
        rootfs: text(initrd::WANT_ROOTFS)
            .map(|text| StreamHash::parse(&text))
            .transpose()
            .map_err(|e| makes_no_sense(initrd::WANT_ROOTFS, e.into()))?,
    })
}
