//! What an image says about itself: its volume descriptors (ECMA-119 8), in the form in which
//! `dev show iso` prints them.

use std::io::{Read, Seek};

use serde::Serialize;

use super::reader::{SECTOR, u32_at};
use super::{Extent, IsoError, IsoReader};

const FIRST: u64 = 16;
/// Descriptors that are read at most.
const MOST: u64 = 64;

/// One volume descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Descriptor {
    /// A boot record (8.2).
    Boot {
        /// What can use it, for example `EL TORITO SPECIFICATION`.
        boot_system_id: String,
        /// Its name.
        boot_id: String,
    },
    /// The primary volume (8.4).
    Primary {
        /// What can use the first sectors.
        system_id: String,
        /// The label.
        volume_id: String,
        /// Sectors of the volume.
        volume_space_size: u32,
    },
    /// A second tree, for example Joliet's (8.5).
    Supplementary,
    /// The end of the list (8.3).
    Terminator,
    /// Another type.
    Unknown {
        /// Its number.
        type_id: u8,
    },
}

impl<F: Read + Seek> IsoReader<F> {
    /// The volume descriptors in order, with the one that ends them.
    pub fn descriptors(&mut self) -> Result<Vec<Descriptor>, IsoError> {
        let mut found = Vec::new();
        for sector in FIRST..FIRST + MOST {
            let data = self.read_extent(Extent {
                offset: sector * SECTOR,
                length: SECTOR,
            })?;
            let descriptor = parse(&data).ok_or(IsoError::Format("no volume descriptor"))?;
            let end = descriptor == Descriptor::Terminator;
            found.push(descriptor);
            if end {
                return Ok(found);
            }
        }
        Err(IsoError::Format("volume descriptors have no end"))
    }
}

fn parse(data: &[u8]) -> Option<Descriptor> {
    let text = |from: usize| {
        let bytes = data.get(from..from + 32).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        text.trim_end_matches([' ', '\0']).to_owned()
    };
    if data.get(1..6) != Some(b"CD001".as_slice()) {
        return None;
    }
    Some(match *data.first()? {
        0 => Descriptor::Boot {
            boot_system_id: text(7),
            boot_id: text(39),
        },
        1 => Descriptor::Primary {
            system_id: text(8),
            volume_id: text(40),
            volume_space_size: u32_at(data, 80)?,
        },
        2 => Descriptor::Supplementary,
        255 => Descriptor::Terminator,
        type_id => Descriptor::Unknown { type_id },
    })
}
