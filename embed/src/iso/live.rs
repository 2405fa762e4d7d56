//! A CoreOS live ISO image: its features, what is embedded in it, and edits of both.
//!
//! Recognised by an embed area (`coreos/igninfo.json`, or `images/ignition.img` of old images).

use std::io::{Read, Seek};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kargs_area::KargsJson;
use super::{Extent, IsoError, IsoReader, Region};
use crate::contract::iso as names;
use crate::initrd::{Archive, Limits};
use crate::kargs::Kargs;

const MAX_JSON: u64 = 64 * 1024;
const MAX_AREA: u64 = 64 << 20;

/// What a live system understands (`coreos/features.json`); an absent key is false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Features {
    /// Reads `/etc/coreos/installer.d`.
    pub installer_config: bool,
    /// Applies keyfiles found in the initrd.
    pub live_initrd_network: bool,
}

#[derive(Deserialize)]
struct IgnInfo {
    file: String,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    length: Option<u64>,
}

/// An opened live image.
#[derive(Debug)]
pub struct LiveIso<F> {
    iso: IsoReader<F>,
    area: Extent,
    features: Features,
    kargs: Option<(KargsJson, Vec<u64>, Kargs)>,
}

impl<F: Read + Seek> LiveIso<F> {
    /// Opens an image and reads where its areas are.
    pub fn open(file: F) -> Result<Self, IsoError> {
        let mut iso = IsoReader::open(file)?;
        let area = embed_area(&mut iso)?;
        let features = read_json(&mut iso, names::FEATURES)?.unwrap_or_default();
        let kargs = match read_json::<KargsJson, F>(&mut iso, names::KARGS)? {
            Some(json) => Some(read_kargs(&mut iso, json)?),
            None => None,
        };
        Ok(Self {
            iso,
            area,
            features,
            kargs,
        })
    }

    /// What the live system understands.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Place of the embed area.
    pub fn embed_area(&self) -> Extent {
        self.area
    }

    /// What is embedded; empty for a pristine image.
    pub fn embedded(&mut self) -> Result<Archive, IsoError> {
        let data = self.iso.read_extent(self.area)?;
        Archive::read(data.as_slice(), Limits::AREA).map_err(IsoError::Embedded)
    }

    /// The edit that embeds `archive`; an empty one leaves the area pristine.
    pub fn embed(&self, archive: &Archive) -> Result<Region, IsoError> {
        let mut content = match archive.is_empty() {
            true => Vec::new(),
            false => archive.to_xz_cpio().map_err(IsoError::Io)?,
        };
        let (size, area) = (content.len() as u64, self.area.length);
        if size > area {
            return Err(IsoError::TooLarge { size, area });
        }
        content.resize(usize::try_from(area).unwrap_or(usize::MAX), 0);
        Ok(Region {
            offset: self.area.offset,
            content,
        })
    }

    /// Kernel arguments as they are now.
    pub fn kargs(&self) -> Result<&Kargs, IsoError> {
        self.kargs
            .as_ref()
            .map(|(_, _, current)| current)
            .ok_or(IsoError::NoKargsArea)
    }

    /// Kernel arguments of the pristine image.
    pub fn default_kargs(&self) -> Result<Kargs, IsoError> {
        let (json, _, _) = self.kargs.as_ref().ok_or(IsoError::NoKargsArea)?;
        Ok(Kargs::parse(&json.default))
    }

    /// The edits that set the kernel arguments in every area.
    pub fn set_kargs(&self, kargs: &Kargs) -> Result<Vec<Region>, IsoError> {
        let (json, offsets, _) = self.kargs.as_ref().ok_or(IsoError::NoKargsArea)?;
        let text = kargs.to_string();
        let places = json.files.iter().zip(offsets);
        places
            .map(|(file, &offset)| json.encode(file, offset, &text))
            .collect()
    }

    /// The underlying file.
    pub fn into_inner(self) -> F {
        self.iso.into_inner()
    }
}

fn embed_area<F: Read + Seek>(iso: &mut IsoReader<F>) -> Result<Extent, IsoError> {
    let corrupt = |why| IsoError::Area {
        what: "embed area",
        why,
    };
    let info = read_json(iso, names::IGNINFO)?.unwrap_or_else(|| IgnInfo {
        file: names::IGNITION_IMG.to_owned(),
        offset: None,
        length: None,
    });
    let file = iso
        .find(&info.file)?
        .ok_or(IsoError::NotLive("no embed area"))?;
    let start = info.offset.unwrap_or(0);
    let length = match info.length {
        Some(length) => length,
        None => file
            .length
            .checked_sub(start)
            .ok_or(corrupt("starts after its file"))?,
    };
    if start
        .checked_add(length)
        .is_none_or(|end| end > file.length)
    {
        return Err(corrupt("ends after its file"));
    }
    if length > MAX_AREA {
        return Err(corrupt("is larger than 64 MiB"));
    }
    Ok(Extent {
        offset: file.offset + start,
        length,
    })
}

fn read_kargs<F: Read + Seek>(
    iso: &mut IsoReader<F>,
    json: KargsJson,
) -> Result<(KargsJson, Vec<u64>, Kargs), IsoError> {
    let corrupt = |why| IsoError::Area {
        what: "kernel argument area",
        why,
    };
    let size = json.size()? as u64;
    let mut offsets = Vec::new();
    let mut texts = Vec::new();
    for place in &json.files {
        let file = iso
            .find(&place.path)?
            .ok_or(corrupt("its file is missing"))?;
        let start = place.offset.unwrap_or(0);
        if start.checked_add(size).is_none_or(|end| end > file.length) {
            return Err(corrupt("ends after its file"));
        }
        let offset = file.offset + start;
        texts.push(place.decode(&iso.read_extent(Extent {
            offset,
            length: size,
        })?)?);
        offsets.push(offset);
    }
    let text = texts.first().ok_or(corrupt("no place is named"))?;
    if texts.iter().any(|other| other != text) {
        return Err(corrupt("its copies differ"));
    }
    let current = Kargs::parse(text);
    Ok((json, offsets, current))
}

fn read_json<T: DeserializeOwned, F: Read + Seek>(
    iso: &mut IsoReader<F>,
    path: &'static str,
) -> Result<Option<T>, IsoError> {
    if iso.find(path)?.is_none() {
        return Ok(None);
    }
    let data = iso.read(path, MAX_JSON)?;
    serde_json::from_slice(&data)
        .map(Some)
        .map_err(|source| IsoError::Json { path, source })
}

#[cfg(test)]
mod tests;
