//! Volume descriptors: primary and Joliet (ECMA-119 8.4, 8.5), the El Torito boot record and the
//! terminator. One sector each.

use super::layout::{BOOT_CATALOG, Layout, PathTables};
use super::record::{both16, both32};
use super::time::Timestamp;
use super::{IsoError, SECTOR};

const STANDARD_ID: &[u8] = b"CD001";
const TYPE_BOOT: u8 = 0;
const TYPE_PRIMARY: u8 = 1;
const TYPE_SUPPLEMENTARY: u8 = 2;
const TYPE_TERMINATOR: u8 = 255;
/// UCS-2 level 3 (Joliet specification, table 2).
const JOLIET_ESCAPE: &[u8] = b"%/E";
const EL_TORITO_ID: &[u8] = b"EL TORITO SPECIFICATION";
const APPLICATION: &str = "COREOS-METAL ISO-BUILDER";

/// Name of a volume: what `coreos.liveiso=` and `by-label` links show.
///
/// 1 to 32 characters, as the primary descriptor holds; lower case is outside the letter of
/// ECMA-119 and inside the habit of every distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeId(String);

/// A text that cannot name a volume.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` cannot be a volume label: 1 to 32 letters, digits, `.`, `-` or `_` can")]
pub struct VolumeIdError(pub String);

impl VolumeId {
    const MAX: usize = 32;

    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, VolumeIdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.is_empty() || text.len() > Self::MAX || !text.chars().all(allowed) {
            return Err(VolumeIdError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The nearest label to `text`: other characters become `-`, the tail is cut.
    pub fn nearest(text: &str) -> Result<Self, VolumeIdError> {
        let mapped = text.chars().map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
                c
            } else {
                '-'
            }
        });
        Self::new(&mapped.take(Self::MAX).collect::<String>())
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A sector under construction; fields are put at the positions of the standard, counted from 1.
struct Sector(Vec<u8>);

impl Sector {
    fn new(kind: u8) -> Self {
        let mut this = Self(vec![0; SECTOR as usize]);
        this.put(1, &[kind]);
        this.put(2, STANDARD_ID);
        this.put(7, &[1]);
        this
    }

    fn put(&mut self, position: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(position - 1).zip(bytes) {
            *to = *from;
        }
    }
}

/// Text of `width` bytes: spaces fill it.
fn padded(text: &str, width: usize) -> Vec<u8> {
    text.bytes()
        .chain(std::iter::repeat(b' '))
        .take(width)
        .collect()
}

/// The same in big-endian UCS-2; an odd last byte is zero.
fn padded_ucs2(text: &str, width: usize) -> Vec<u8> {
    let units = text
        .encode_utf16()
        .chain(std::iter::repeat(u16::from(b' ')));
    let mut out: Vec<u8> = units.take(width / 2).flat_map(u16::to_be_bytes).collect();
    out.resize(width, 0);
    out
}

type Pad = fn(&str, usize) -> Vec<u8>;

fn volume(
    kind: u8,
    layout: &Layout,
    tables: PathTables,
    root: &[u8],
    label: &str,
    pad: Pad,
) -> Sector {
    let mut out = Sector::new(kind);
    out.put(9, &pad("", 32));
    out.put(41, &pad(label, 32));
    out.put(81, &both32(layout.sectors));
    out.put(121, &both16(1));
    out.put(125, &both16(1));
    out.put(129, &[both16(2048)].concat());
    out.put(133, &both32(tables.size));
    out.put(141, &tables.little_endian.to_le_bytes());
    out.put(149, &tables.big_endian.to_be_bytes());
    out.put(157, root);
    for position in [191, 319, 447] {
        out.put(position, &pad("", 128));
    }
    out.put(575, &pad(APPLICATION, 128));
    for position in [703, 740, 777] {
        out.put(position, &pad("", 37));
    }
    out.put(882, &[1]);
    out
}

/// The four descriptors in the order of their sectors.
pub(super) fn all(layout: &Layout, label: &VolumeId, time: Timestamp) -> Result<Vec<u8>, IsoError> {
    let (primary, joliet) = (layout.primary.root_record(), layout.joliet.root_record());
    let label = label.as_str();
    let mut volumes = [
        volume(
            TYPE_PRIMARY,
            layout,
            layout.primary_tables,
            &primary,
            label,
            padded,
        ),
        volume(
            TYPE_SUPPLEMENTARY,
            layout,
            layout.joliet_tables,
            &joliet,
            label,
            padded_ucs2,
        ),
    ];
    for volume in &mut volumes {
        volume.put(814, &time.descriptor());
        volume.put(831, &time.descriptor());
        volume.put(848, &[b'0'; 16]);
        volume.put(865, &[b'0'; 16]);
    }
    let [primary, mut joliet] = volumes;
    joliet.put(89, JOLIET_ESCAPE);
    let mut boot = Sector::new(TYPE_BOOT);
    boot.put(8, EL_TORITO_ID);
    boot.put(72, &BOOT_CATALOG.to_le_bytes());
    Ok([primary.0, boot.0, joliet.0, Sector::new(TYPE_TERMINATOR).0].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_do_not_fit_are_refused_and_can_be_brought_near() {
        assert!(VolumeId::new("os-1.2_3").is_ok());
        for bad in ["", "a b", "ä", &"x".repeat(33)] {
            assert_eq!(VolumeId::new(bad), Err(VolumeIdError(bad.to_owned())));
        }
        assert_eq!(VolumeId::nearest("my os 1").unwrap().as_str(), "my-os-1");
        assert_eq!(
            VolumeId::nearest(&"x".repeat(40)).unwrap().as_str().len(),
            32
        );
    }
}
