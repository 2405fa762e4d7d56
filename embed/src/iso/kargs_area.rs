//! The kernel argument areas of a live ISO: one text, stored in every boot loader config.
//!
//! `coreos/kargs.json` names the places: text, an end byte, then padding to a fixed size.

use serde::Deserialize;

use super::{IsoError, Region};

/// Longest area that is accepted, bytes.
const MAX_AREA: usize = 2048;

/// `coreos/kargs.json`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct KargsJson {
    /// Arguments of the pristine image.
    pub(super) default: String,
    /// Bytes of every area.
    size: usize,
    pub(super) files: Vec<KargsFile>,
}

/// One place.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct KargsFile {
    /// File on the ISO.
    pub(super) path: String,
    /// First byte of the area in the file; absent: the file is the area.
    #[serde(default)]
    pub(super) offset: Option<u64>,
    #[serde(default = "default_pad")]
    pad: char,
    #[serde(default = "default_end")]
    end: char,
}

fn default_pad() -> char {
    '#'
}

fn default_end() -> char {
    '\n'
}

const fn corrupt(why: &'static str) -> IsoError {
    IsoError::Area {
        what: "kernel argument area",
        why,
    }
}

impl KargsJson {
    pub(super) fn size(&self) -> Result<usize, IsoError> {
        match self.size {
            1..=MAX_AREA => Ok(self.size),
            _ => Err(corrupt("bad size")),
        }
    }

    /// The region that stores `text` at `offset` of the image, in the form of `file`.
    pub(super) fn encode(
        &self,
        file: &KargsFile,
        offset: u64,
        text: &str,
    ) -> Result<Region, IsoError> {
        let (size, text) = (self.size()?, text.trim());
        if text.len() >= size {
            return Err(IsoError::KargsTooLarge {
                size: text.len(),
                area: size - 1,
            });
        }
        let (pad, end) = (file.pad()?, file.end()?);
        let mut content = text.as_bytes().to_vec();
        content.push(end);
        content.resize(size, pad);
        Ok(Region { offset, content })
    }
}

impl KargsFile {
    fn pad(&self) -> Result<u8, IsoError> {
        u8::try_from(self.pad).map_err(|_| corrupt("padding is no single byte"))
    }

    fn end(&self) -> Result<u8, IsoError> {
        u8::try_from(self.end).map_err(|_| corrupt("end is no single byte"))
    }

    /// The text stored in an area's bytes.
    pub(super) fn decode(&self, area: &[u8]) -> Result<String, IsoError> {
        let end = self.end()?;
        let length = area
            .iter()
            .position(|&b| b == end)
            .ok_or_else(|| corrupt("text has no end"))?;
        let text = area.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| corrupt("text is not UTF-8"))?;
        Ok(text.trim().to_owned())
    }
}
