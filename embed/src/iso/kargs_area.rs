//! The kernel argument areas of a live ISO: one text, stored in every boot loader config.
//!
//! Each area holds the text, an end byte, then padding to a fixed size. Where they are says
//! `coreos/kargs.json`, or in images of early 2021 a header of 72 bytes in the system area.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Extent, IsoError, IsoReader, Region};
use crate::contract::iso as names;
use crate::kargs::Kargs;

/// Longest area that is accepted, bytes.
const MAX_AREA: usize = 2048;
const MAX_JSON: u64 = 64 * 1024;

/// The header is the last but one thing in the system area (24 bytes of another follow it).
const HEADER: Extent = Extent {
    offset: 32_768 - 24 - 72,
    length: 72,
};
const HEADER_MAGIC: &[u8] = b"coreKarg";

/// `coreos/kargs.json`. Its keys are written in this order, as upstream's tools write them.
#[derive(Debug, Deserialize, Serialize)]
struct KargsJson {
    /// Arguments of the pristine image.
    default: String,
    files: Vec<KargsFile>,
    /// Bytes of every area.
    size: usize,
    /// What newer images may add.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One place.
#[derive(Debug, Deserialize, Serialize)]
struct KargsFile {
    /// File on the ISO.
    path: String,
    /// First byte of the area in the file; absent: the file is the area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pad: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<char>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Where an image keeps a copy of its kernel arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KargsPlace {
    /// First byte of the area in the image.
    pub offset: u64,
    /// Bytes of the area.
    pub length: usize,
    /// What fills the area behind the text; `#` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad: Option<char>,
    /// What ends the text; a new line if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<char>,
}

/// The areas of an image, and what is in them.
#[derive(Debug)]
pub(super) struct KargsAreas {
    pub(super) default: String,
    pub(super) current: String,
    pub(super) places: Vec<KargsPlace>,
    /// Whether the default text is in `coreos/kargs.json`.
    described: bool,
}

const fn corrupt(why: &'static str) -> IsoError {
    IsoError::Area {
        what: "kernel argument area",
        why,
    }
}

impl KargsAreas {
    /// `None` for an image that has no areas.
    pub(super) fn find<F: Read + Seek>(iso: &mut IsoReader<F>) -> Result<Option<Self>, IsoError> {
        if iso.find(names::KARGS)?.is_none() {
            return Self::from_header(iso);
        }
        let data = iso.read(names::KARGS, MAX_JSON)?;
        let json: KargsJson = serde_json::from_slice(&data).map_err(json_error)?;
        let length = checked_size(json.size)?;
        let mut places = Vec::new();
        for place in json.files {
            let file = iso
                .find(&place.path)?
                .ok_or(corrupt("its file is missing"))?;
            let start = place.offset.unwrap_or(0);
            let end = start.checked_add(length as u64);
            if end.is_none_or(|end| end > file.length) {
                return Err(corrupt("ends after its file"));
            }
            places.push(KargsPlace {
                offset: file.offset + start,
                length,
                pad: place.pad,
                end: place.end,
            });
        }
        places.sort_by_key(|place| place.offset);
        let default = json.default.trim().to_owned();
        Self::read(iso, default, places, true).map(Some)
    }

    /// Magic, length of an area, offset of the default text, up to six offsets of areas, all
    /// numbers 64 bits, little endian.
    fn from_header<F: Read + Seek>(iso: &mut IsoReader<F>) -> Result<Option<Self>, IsoError> {
        let header = iso.read_extent(HEADER)?;
        let Some(fields) = header.strip_prefix(HEADER_MAGIC) else {
            return Ok(None);
        };
        let (words, _) = fields.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let (length, default) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        let length = checked_size(usize::try_from(length).unwrap_or(usize::MAX))?;
        let place = |offset| KargsPlace {
            offset,
            length,
            pad: None,
            end: None,
        };
        let default = place(default).read(iso)?;
        let places = words.take_while(|&offset| offset != 0).map(place).collect();
        Self::read(iso, default, places, false).map(Some)
    }

    fn read<F: Read + Seek>(
        iso: &mut IsoReader<F>,
        default: String,
        places: Vec<KargsPlace>,
        described: bool,
    ) -> Result<Self, IsoError> {
        let mut texts = Vec::new();
        for place in &places {
            texts.push(place.read(iso)?);
        }
        let current = texts.pop().ok_or(corrupt("no place is named"))?;
        if texts.iter().any(|other| *other != current) {
            return Err(corrupt("its copies differ"));
        }
        Ok(Self {
            default,
            current,
            places,
            described,
        })
    }

    /// The edits that store `text` in every area.
    pub(super) fn store(&self, text: &str) -> Result<Vec<Region>, IsoError> {
        let places = self.places.iter();
        places.map(|place| place.encode(text)).collect()
    }

    /// The edit that makes `kargs` those of the pristine image.
    pub(super) fn store_default<F: Read + Seek>(
        &self,
        iso: &mut IsoReader<F>,
        kargs: &Kargs,
    ) -> Result<Region, IsoError> {
        if !self.described {
            return Err(IsoError::NoKargsArea);
        }
        let file = iso.existing(names::KARGS)?;
        let data = iso.read_extent(file)?;
        let mut json: KargsJson = serde_json::from_slice(&data).map_err(json_error)?;
        json.default = kargs.to_string();
        let mut content = serde_json::to_vec_pretty(&json).map_err(json_error)?;
        if content.len() > data.len() {
            content = serde_json::to_vec(&json).map_err(json_error)?;
        }
        if content.len() > data.len() {
            return Err(IsoError::KargsTooLarge {
                size: content.len(),
                area: data.len(),
            });
        }
        content.resize(data.len(), b' ');
        Ok(Region {
            offset: file.offset,
            content,
        })
    }
}

impl KargsPlace {
    fn read<F: Read + Seek>(&self, iso: &mut IsoReader<F>) -> Result<String, IsoError> {
        self.decode(&iso.read_extent(Extent {
            offset: self.offset,
            length: self.length as u64,
        })?)
    }

    /// The area's bytes that store `text`.
    fn encode(&self, text: &str) -> Result<Region, IsoError> {
        let (size, text) = (self.length, text.trim());
        let end = self.end()?;
        if text.as_bytes().contains(&end) {
            return Err(IsoError::KargsEnd);
        }
        if text.len() >= size {
            return Err(IsoError::KargsTooLarge {
                size: text.len(),
                area: size - 1,
            });
        }
        let mut content = text.as_bytes().to_vec();
        content.push(end);
        content.resize(size, self.pad()?);
        Ok(Region {
            offset: self.offset,
            content,
        })
    }

    /// The text stored in an area's bytes.
    fn decode(&self, area: &[u8]) -> Result<String, IsoError> {
        let end = self.end()?;
        let length = area
            .iter()
            .position(|&b| b == end)
            .ok_or_else(|| corrupt("text has no end"))?;
        let text = area.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| corrupt("text is not UTF-8"))?;
        Ok(text.trim().to_owned())
    }

    fn pad(&self) -> Result<u8, IsoError> {
        u8::try_from(self.pad.unwrap_or('#')).map_err(|_| corrupt("padding is no single byte"))
    }

    fn end(&self) -> Result<u8, IsoError> {
        u8::try_from(self.end.unwrap_or('\n')).map_err(|_| corrupt("end is no single byte"))
    }
}

fn checked_size(size: usize) -> Result<usize, IsoError> {
    match size {
        1..=MAX_AREA => Ok(size),
        _ => Err(corrupt("bad size")),
    }
}

fn json_error(source: serde_json::Error) -> IsoError {
    IsoError::Json {
        path: names::KARGS,
        source,
    }
}
