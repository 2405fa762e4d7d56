//! What an image says about itself: its volume descriptors (ECMA-119 8), in the form in which
//! `dev show iso` prints them.

use std::io::{Read, Seek};

use serde::Serialize;

use super::reader::{SECTOR, u32_at};
use super::{Extent, IsoError, IsoReader};

const FIRST: u64 = 16;
const TERMINATOR: u8 = 255;
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
        /// The top of the tree.
        root: RootDirectory,
    },
    /// A second tree, for example Joliet's (8.5).
    Supplementary,
    /// Another type.
    Unknown {
        /// Its number.
        type_id: u8,
    },
}

/// Where the top of the tree is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootDirectory {
    /// Always `.`.
    pub name: &'static str,
    /// First sector.
    pub address: u32,
    /// Bytes.
    pub length: u32,
}

impl<F: Read + Seek> IsoReader<F> {
    /// The volume descriptors in order, without the one that ends them (8.3).
    pub fn descriptors(&mut self) -> Result<Vec<Descriptor>, IsoError> {
        let mut found = Vec::new();
        for sector in FIRST..FIRST + MOST {
            let data = self.read_extent(Extent {
                offset: sector * SECTOR,
                length: SECTOR,
            })?;
            let type_id = match (data.first(), data.get(1..6)) {
                (Some(&type_id), Some(b"CD001")) => type_id,
                _ => return Err(IsoError::Format("no volume descriptor")),
            };
            if type_id == TERMINATOR {
                return Ok(found);
            }
            let descriptor = parse(type_id, &data);
            found.push(descriptor.ok_or(IsoError::Format("a volume descriptor is broken"))?);
        }
        Err(IsoError::Format("volume descriptors have no end"))
    }
}

fn parse(type_id: u8, data: &[u8]) -> Option<Descriptor> {
    let text = |from: usize| {
        let bytes = data.get(from..from + 32).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        text.trim_end_matches([' ', '\0']).to_owned()
    };
    Some(match type_id {
        0 => Descriptor::Boot {
            boot_system_id: text(7),
            boot_id: text(39),
        },
        1 => Descriptor::Primary {
            system_id: text(8),
            volume_id: text(40),
            volume_space_size: u32_at(data, 80)?,
            root: RootDirectory {
                name: ".",
                address: u32_at(data, 156 + 2)?,
                length: u32_at(data, 156 + 10)?,
            },
        },
        2 => Descriptor::Supplementary,
        type_id => Descriptor::Unknown { type_id },
    })
}
