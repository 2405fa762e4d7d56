//! A CoreOS live ISO image: its features, what is embedded in it, and edits of both.
//!
//! Recognised by an embed area (`coreos/igninfo.json`, or `images/ignition.img` of old images).

use std::io::{Read, Seek};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kargs_area::{KargsAreas, KargsPlace};
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
    /// Which keys of the installer's config files it understands.
    pub installer_config_directives: Directives,
}

/// Keys of config files that came after `installer-config`; the others are always understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Directives {
    /// `console`.
    pub console: bool,
    /// `ca-cert`. Upstream's installer has no such key.
    pub ca_cert: bool,
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
    kargs: Option<KargsAreas>,
}

impl<F: Read + Seek> LiveIso<F> {
    /// Opens an image and reads where its areas are.
    pub fn open(file: F) -> Result<Self, IsoError> {
        let mut iso = IsoReader::open(file)?;
        let area = embed_area(&mut iso)?;
        let features = read_json(&mut iso, names::FEATURES)?.unwrap_or_default();
        let kargs = KargsAreas::find(&mut iso)?;
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

    /// Whether nothing is embedded and the kernel arguments are the image's own.
    pub fn is_pristine(&mut self) -> Result<bool, IsoError> {
        let kargs = self.kargs.as_ref();
        let own = kargs.is_none_or(|kargs| kargs.current == kargs.default);
        Ok(own && self.embedded()?.is_empty())
    }

    /// The edits that make the image what it was: nothing embedded, its own kernel arguments.
    pub fn reset(&self) -> Result<Vec<Region>, IsoError> {
        let mut regions = match &self.kargs {
            Some(kargs) => kargs.store(&kargs.default)?,
            None => Vec::new(),
        };
        regions.push(self.embed(&Archive::default())?);
        Ok(regions)
    }

    /// Whether the image has areas for kernel arguments.
    pub fn has_kargs(&self) -> bool {
        self.kargs.is_some()
    }

    /// Kernel arguments as they are now.
    pub fn kargs(&self) -> Result<Kargs, IsoError> {
        Ok(Kargs::parse(&self.kargs_areas()?.current))
    }

    /// Kernel arguments of the pristine image.
    pub fn default_kargs(&self) -> Result<Kargs, IsoError> {
        Ok(Kargs::parse(&self.kargs_areas()?.default))
    }

    /// Where the copies of the kernel arguments are.
    pub fn kargs_places(&self) -> Result<&[KargsPlace], IsoError> {
        Ok(&self.kargs_areas()?.places)
    }

    /// The edits that set the kernel arguments in every area.
    pub fn set_kargs(&self, kargs: &Kargs) -> Result<Vec<Region>, IsoError> {
        self.kargs_areas()?.store(&kargs.to_string())
    }

    /// The edits that make the kernel arguments of the pristine image those that there are.
    pub fn reset_kargs(&self) -> Result<Vec<Region>, IsoError> {
        let kargs = self.kargs_areas()?;
        kargs.store(&kargs.default)
    }

    /// The edit that makes `kargs` those of the pristine image.
    pub fn set_default_kargs(&mut self, kargs: &Kargs) -> Result<Region, IsoError> {
        let areas = self.kargs.as_ref().ok_or(IsoError::NoKargsArea)?;
        areas.store_default(&mut self.iso, kargs)
    }

    /// The files of the image.
    pub fn files(&mut self) -> &mut IsoReader<F> {
        &mut self.iso
    }

    fn kargs_areas(&self) -> Result<&KargsAreas, IsoError> {
        self.kargs.as_ref().ok_or(IsoError::NoKargsArea)
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
