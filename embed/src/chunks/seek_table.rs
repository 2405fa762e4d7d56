//! The seek table that ends a packed file: a skippable frame in zstd's seekable format 0.1.0
//! (`contrib/seekable_format` of zstd), by which other tools find a frame without reading all of
//! those before it. Written only; the manifest is what we read.

/// Magic of the skippable frame that holds the table.
const SKIPPABLE: u32 = 0x184d_2a5e;
/// Magic at the very end.
const SEEKABLE: u32 = 0x8f92_eab1;
/// The format's own limit.
const MAX_FRAMES: usize = 0x800_0000;
/// An entry without checksum, bytes.
const ENTRY: usize = 8;
/// Number of frames, descriptor, magic; bytes.
const FOOTER: usize = 9;

/// Sizes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// In the file, bytes.
    pub packed: u32,
    /// Decoded, bytes.
    pub raw: u32,
}

/// More frames than a table can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seek table has no room for {0} frames")]
pub struct SeekTableError(pub usize);

/// The table of `frames` as the bytes that follow them in the file.
pub fn seek_table(frames: &[Frame]) -> Result<Vec<u8>, SeekTableError> {
    let count = u32::try_from(frames.len()).ok();
    let length = frames
        .len()
        .checked_mul(ENTRY)
        .and_then(|length| u32::try_from(length.checked_add(FOOTER)?).ok());
    let (Some(count), Some(length), true) = (count, length, frames.len() <= MAX_FRAMES) else {
        return Err(SeekTableError(frames.len()));
    };
    let mut table = Vec::with_capacity(8 + length as usize);
    table.extend(SKIPPABLE.to_le_bytes());
    table.extend(length.to_le_bytes());
    for frame in frames {
        table.extend(frame.packed.to_le_bytes());
        table.extend(frame.raw.to_le_bytes());
    }
    table.extend(count.to_le_bytes());
    // No checksums: the descriptor has no bit set.
    table.push(0);
    table.extend(SEEKABLE.to_le_bytes());
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_a_skippable_frame_of_entries_and_a_footer() {
        let frame = |packed, raw| Frame { packed, raw };
        let table = seek_table(&[frame(1, 2), frame(0x0102_0304, 5)]).unwrap();
        assert_eq!(
            hex::encode(table),
            "5e2a4d1819000000\
             0100000002000000\
             0403020105000000\
             0200000000b1ea928f"
        );
        assert_eq!(hex::encode(seek_table(&[]).unwrap()).len(), 2 * (8 + 9));
    }
}
