//! The bytes of an osmet file before the packed rest of the image: magic, version, program version,
//! header, partitions with their mappings, digest and size, serialized by [`crate::bincode`].

use std::io::Read;

use super::{Header, Mapping, Osmet, OsmetError, Partition};
use crate::bincode::{Input, put, put_bytes};
use crate::digest::Sha256Digest;

const MAGIC: &[u8; 8] = b"OSMET\0\0\0";
const VERSION: u32 = 1;
/// Longest text, bytes.
const MAX_TEXT: u64 = 64 * 1024;
/// More mappings than files of an operating system; they take 60 MiB.
pub(super) const MAX_MAPPINGS: usize = 1 << 20;
/// More partitions than a GPT has.
const MAX_PARTITIONS: u64 = 128;

impl Header {
    /// Reads what an osmet file is for, from its start.
    pub fn read(input: impl Read) -> Result<Self, OsmetError> {
        header(&mut Input(input))
    }
}

impl Osmet {
    /// Reads an osmet file from its start. What `input` gives next is the packed rest of the image.
    pub fn read(mut input: impl Read) -> Result<(Header, Self), OsmetError> {
        let mut input = Input(&mut input);
        let header = header(&mut input)?;
        let mut room = MAX_MAPPINGS;
        let count = input.number().map_err(OsmetError::Values)?;
        if count > MAX_PARTITIONS {
            return Err(OsmetError::Layout("it has too many partitions"));
        }
        let partitions: Result<_, _> = (0..count)
            .map(|_| partition(&mut input, &mut room))
            .collect();
        let osmet = Self {
            partitions: partitions?,
            sha256: Sha256Digest(input.array().map_err(OsmetError::Values)?),
            size: input.number().map_err(OsmetError::Values)?,
        };
        osmet.check()?;
        Ok((header, osmet))
    }

    /// The file up to the packed rest of the image.
    pub(super) fn to_bytes(&self, header: &Header) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put(&mut out, VERSION.into());
        put_bytes(&mut out, header.made_by.as_bytes());
        put(&mut out, header.sector_size.into());
        put_bytes(&mut out, header.description.as_bytes());
        put_bytes(&mut out, header.architecture.as_bytes());
        put(&mut out, self.partitions.len() as u64);
        for partition in &self.partitions {
            put(&mut out, partition.start);
            put(&mut out, partition.end);
            put(&mut out, partition.mappings.len() as u64);
            for mapping in &partition.mappings {
                put(&mut out, mapping.logical);
                put(&mut out, mapping.physical);
                put(&mut out, mapping.length);
                out.extend(mapping.object.0);
            }
        }
        out.extend(self.sha256.0);
        put(&mut out, self.size);
        out
    }
}

fn header<R: Read>(input: &mut Input<R>) -> Result<Header, OsmetError> {
    if input.array().map_err(OsmetError::Values)? != *MAGIC {
        return Err(OsmetError::Magic);
    }
    let found = input.number_u32().map_err(OsmetError::Values)?;
    let made_by = input.text(MAX_TEXT).map_err(OsmetError::Values)?;
    if found != VERSION {
        return Err(OsmetError::Version { found, made_by });
    }
    Ok(Header {
        made_by,
        sector_size: input.number_u32().map_err(OsmetError::Values)?,
        description: input.text(MAX_TEXT).map_err(OsmetError::Values)?,
        architecture: input.text(MAX_TEXT).map_err(OsmetError::Values)?,
    })
}

fn partition<R: Read>(input: &mut Input<R>, room: &mut usize) -> Result<Partition, OsmetError> {
    let mut number = || input.number().map_err(OsmetError::Values);
    let (start, end, count) = (number()?, number()?, number()?);
    let mut mappings = Vec::new();
    for _ in 0..count {
        *room = room.checked_sub(1).ok_or(OsmetError::TooMany {
            limit: MAX_MAPPINGS,
        })?;
        mappings.push(mapping(input)?);
    }
    Ok(Partition {
        start,
        end,
        mappings,
    })
}

fn mapping<R: Read>(input: &mut Input<R>) -> Result<Mapping, OsmetError> {
    let mut number = || input.number().map_err(OsmetError::Values);
    let (logical, physical, length) = (number()?, number()?, number()?);
    Ok(Mapping {
        logical,
        physical,
        length,
        object: Sha256Digest(input.array().map_err(OsmetError::Values)?),
    })
}
