//! Directory records (ECMA-119 9.1) with their Rock Ridge fields (SUSP 1.12 section 5, RRIP 1.12
//! section 4), and the both-endian numbers that ISO 9660 is made of.

use super::time::Timestamp;

/// Flags of a record (ECMA-119 9.1.6).
pub(super) const FLAG_DIRECTORY: u8 = 0x02;
/// More records of the same file follow.
pub(super) const FLAG_MORE_EXTENTS: u8 = 0x80;

/// Identifier of a directory's record of itself.
pub(super) const SELF_ID: &[u8] = &[0];
/// Identifier of a directory's record of its parent.
pub(super) const PARENT_ID: &[u8] = &[1];

const MODE_FILE: u32 = 0o100_444;
const MODE_DIR: u32 = 0o040_555;
const TF_MODIFY_ACCESS_ATTRIBUTES: u8 = 0x0e;
const RRIP_ID: &[u8] = b"RRIP_1991A";

/// A 16-bit number, little-endian then big-endian (ECMA-119 7.2.3).
pub(super) fn both16(n: u16) -> [u8; 4] {
    let (l, b) = (n.to_le_bytes(), n.to_be_bytes());
    [l[0], l[1], b[0], b[1]]
}

/// A 32-bit number, little-endian then big-endian (ECMA-119 7.3.3).
pub(super) fn both32(n: u32) -> [u8; 8] {
    let (l, b) = (n.to_le_bytes(), n.to_be_bytes());
    [l[0], l[1], l[2], l[3], b[0], b[1], b[2], b[3]]
}

/// What a record says, except for its system use field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) id: &'a [u8],
    pub(super) lba: u32,
    pub(super) size: u32,
    pub(super) flags: u8,
    pub(super) time: Timestamp,
}

impl Record<'_> {
    /// The record's bytes with `system_use` behind it.
    ///
    /// The caller's limits on names keep every record below 255 bytes; a longer one would be a
    /// mistake of this crate, seen at once in the length byte by every reader in the tests.
    pub(super) fn encode(&self, system_use: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0];
        out.extend(both32(self.lba));
        out.extend(both32(self.size));
        out.extend(self.time.record());
        out.extend([self.flags, 0, 0]);
        out.extend(both16(1));
        out.push(byte(self.id.len()));
        out.extend(self.id);
        if self.id.len().is_multiple_of(2) {
            out.push(0);
        }
        out.extend(system_use);
        if !out.len().is_multiple_of(2) {
            out.push(0);
        }
        let length = byte(out.len());
        if let Some(first) = out.first_mut() {
            *first = length;
        }
        out
    }
}

fn byte(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

/// What Rock Ridge adds to a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum RockRidge<'a> {
    /// The root's record of itself, which announces the extension.
    RootSelf { links: u32 },
    /// Another record of a directory itself or of its parent.
    Dots { links: u32 },
    /// A directory with its full name.
    Dir { name: &'a str, links: u32 },
    /// A file with its full name.
    File { name: &'a str },
}

impl RockRidge<'_> {
    /// The system use field.
    pub(super) fn encode(self, time: Timestamp) -> Vec<u8> {
        let mut out = Vec::new();
        if let Self::RootSelf { .. } = self {
            out.extend(entry(b"SP", &[0xbe, 0xef, 0]));
        }
        let (mode, links) = match self {
            Self::RootSelf { links } | Self::Dots { links } | Self::Dir { links, .. } => {
                (MODE_DIR, links)
            }
            Self::File { .. } => (MODE_FILE, 1),
        };
        let owner_root = [both32(0), both32(0)].concat();
        out.extend(entry(
            b"PX",
            &[both32(mode).as_slice(), &both32(links), &owner_root].concat(),
        ));
        let stamps = [time.record(); 3].concat();
        out.extend(entry(
            b"TF",
            &[&[TF_MODIFY_ACCESS_ATTRIBUTES], stamps.as_slice()].concat(),
        ));
        if let Self::Dir { name, .. } | Self::File { name } = self {
            out.extend(entry(b"NM", &[&[0], name.as_bytes()].concat()));
        }
        if let Self::RootSelf { .. } = self {
            out.extend(entry(
                b"ER",
                &[&[byte(RRIP_ID.len()), 0, 0, 1], RRIP_ID].concat(),
            ));
        }
        out
    }
}

fn entry(signature: &[u8; 2], payload: &[u8]) -> Vec<u8> {
    [signature.as_slice(), &[byte(payload.len() + 4), 1], payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_even_length_and_say_it() {
        for id in [b"A".as_slice(), b"AB", b"ABC.;1"] {
            let record = Record {
                id,
                lba: 20,
                size: 5,
                flags: 0,
                time: Timestamp::from_unix(0),
            };
            for system_use in [b"".as_slice(), b"x"] {
                let bytes = record.encode(system_use);
                assert_eq!(bytes.len() % 2, 0);
                assert_eq!(usize::from(bytes[0]), bytes.len());
            }
        }
    }

    #[test]
    fn longest_allowed_name_fits_a_record() {
        let name = "x".repeat(62);
        let time = Timestamp::from_unix(0);
        let record = Record {
            id: b"XXXXXXXX.XXX;1",
            lba: 0,
            size: 0,
            flags: 0,
            time,
        };
        assert!(
            record
                .encode(&RockRidge::File { name: &name }.encode(time))
                .len()
                < 255
        );
        let joliet = [b'x'; 128];
        assert!(
            Record {
                id: &joliet,
                ..record
            }
            .encode(&[])
            .len()
                < 255
        );
    }
}
