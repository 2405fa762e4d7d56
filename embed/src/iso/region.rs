//! Same-size overwrites of an image, applied in place or while copying.
//!
//! A list of regions is sorted and free of overlaps before it is applied.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// New content for the bytes from `offset` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub offset: u64,
    /// New content; the image's size does not change.
    pub content: Vec<u8>,
}

/// Writes the regions into `file`.
pub fn apply_in_place(mut file: impl Write + Seek, regions: &[Region]) -> io::Result<()> {
    for region in sorted(regions)? {
        file.seek(SeekFrom::Start(region.offset))?;
        file.write_all(&region.content)?;
    }
    file.flush()
}

/// Copies `input` to `output` with the regions' content in place of the original's.
pub fn copy_with(
    mut input: impl Read,
    mut output: impl Write,
    regions: &[Region],
) -> io::Result<()> {
    let mut position = 0;
    for region in sorted(regions)? {
        let gap = region.offset - position;
        let length = region.content.len() as u64;
        if io::copy(&mut input.by_ref().take(gap), &mut output)? != gap {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if io::copy(&mut input.by_ref().take(length), &mut io::sink())? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        output.write_all(&region.content)?;
        position = region.offset + length;
    }
    io::copy(&mut input, &mut output)?;
    output.flush()
}

fn sorted(regions: &[Region]) -> io::Result<Vec<&Region>> {
    let mut regions: Vec<&Region> = regions.iter().collect();
    regions.sort_by_key(|region| region.offset);
    let overlap = regions.windows(2).any(|pair| match pair {
        [a, b] => a.offset + a.content.len() as u64 > b.offset,
        _ => false,
    });
    if overlap {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "regions overlap",
        ));
    }
    Ok(regions)
}
