//! From the end of a file to its blocks: Stream Footer (section 2.1.2), Index (section 4), and the
//! index and footer that make one block a file of its own.

use std::io;

use super::{BLOCK_HEADER, BlockHeader, HEADER, XzError, checked, crc32, number};

/// The largest index that is read, bytes; that of an image has some hundred.
const MAX_INDEX: u64 = 1024 * 1024;

const MAGIC: &[u8] = b"\xfd7zXZ\0";
const FOOTER_MAGIC: &[u8] = b"YZ";

/// A block as the index lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins in the file, bytes.
    pub offset: u64,
    /// Its length without padding, bytes.
    pub(super) unpadded: u64,
    /// Where its content belongs in what the file decodes to, bytes.
    pub raw_offset: u64,
    /// Length of its content, bytes.
    pub raw_length: u64,
}

impl Block {
    /// Where it ends in the file, padding included, bytes.
    pub fn end(&self) -> u64 {
        // `Layout::read` has added these up.
        self.offset
            .saturating_add(self.unpadded.next_multiple_of(4))
    }
}

/// The blocks of a file that is one xz stream and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The Stream Header.
    pub header: [u8; HEADER],
    /// In order, without gaps.
    pub blocks: Vec<Block>,
    /// Index and Stream Footer as they are in the file.
    pub tail: Vec<u8>,
}

impl Layout {
    /// Reads the layout of a file of `len` bytes. `read_at` fills a buffer from an offset below it.
    ///
    /// `None` if the file is no single xz stream from its first byte to its last, or has a huge
    /// index: it may be good all the same, cut off, or have something after its end.
    pub fn read(
        len: u64,
        mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> Result<Option<Self>, XzError> {
        let mut read =
            |at, bytes: &mut [u8]| read_at(at, bytes).map_err(|source| XzError::Io { at, source });
        let Some(footer_at) = len
            .checked_sub(HEADER as u64)
            .filter(|_| len.is_multiple_of(4))
        else {
            return Ok(None);
        };
        let (mut header, mut footer) = ([0; HEADER], [0; HEADER]);
        read(0, &mut header)?;
        read(footer_at, &mut footer)?;
        let (Some(flags), Some((end_flags, size))) =
            (header_flags(&header), footer_fields(&footer))
        else {
            return Ok(None);
        };
        let Some(room) = footer_at.checked_sub(size + HEADER as u64) else {
            return Err(XzError::Invalid {
                what: "stream footer",
                at: footer_at,
                why: "its index would begin before the file",
            });
        };
        if flags != end_flags || size > MAX_INDEX {
            return Ok(None);
        }
        let at = footer_at - size;
        let mut tail = vec![0; usize::try_from(size).unwrap_or_default()];
        read(at, &mut tail)?;
        let (blocks, listed) = blocks_of(&tail, at)?;
        if listed < room {
            // Other streams, or something else, come first.
            return Ok(None);
        }
        if listed > room {
            return Err(XzError::TooLong { at, listed, room });
        }
        tail.extend_from_slice(&footer);
        Ok(Some(Self {
            header,
            blocks,
            tail,
        }))
    }

    /// Reads the header of `block` and compares it with the index.
    pub fn block_header(
        &self,
        block: &Block,
        mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> Result<BlockHeader, XzError> {
        let at = block.offset;
        let mut bytes = [0; BLOCK_HEADER];
        let len = block.unpadded.min(BLOCK_HEADER as u64);
        let bytes = bytes
            .get_mut(..usize::try_from(len).unwrap_or_default())
            .unwrap_or_default();
        read_at(at, bytes).map_err(|source| XzError::Io { at, source })?;
        let header = BlockHeader::parse(bytes, at)?.ok_or(XzError::Invalid {
            what: "index",
            at,
            why: "where it lists a block, there is none",
        })?;
        let disagree = |what, block, index| {
            Err(XzError::Disagree {
                at,
                what,
                block,
                index,
            })
        };
        if let Some(size) = header.uncompressed
            && size != block.raw_length
        {
            return disagree("uncompressed size", size, block.raw_length);
        }
        let data = (block.unpadded.checked_sub(header.length))
            .and_then(|rest| rest.checked_sub(self.check_length()))
            .unwrap_or_default();
        if let Some(size) = header.compressed
            && size != data
        {
            return disagree("compressed size", size, data);
        }
        Ok(header)
    }

    /// Length of the check after each block's data (section 2.1.1.2), bytes.
    fn check_length(&self) -> u64 {
        let [.., kind, _, _, _, _] = self.header;
        match kind & 0x0f {
            0 => 0,
            1..=3 => 4,
            4..=6 => 8,
            7..=9 => 16,
            10..=12 => 32,
            _ => 64,
        }
    }

    /// What must follow the Stream Header and `block` to make a whole stream of them: an index of
    /// this block, and a footer.
    pub fn tail_of(&self, block: &Block) -> Vec<u8> {
        let mut tail = vec![0, 1];
        number::put(&mut tail, block.unpadded);
        number::put(&mut tail, block.raw_length);
        tail.resize(tail.len().next_multiple_of(4), 0);
        tail.extend_from_slice(&crc32(&tail).to_le_bytes());
        // Less than 30 bytes.
        let stored = u32::try_from(tail.len() / 4 - 1).unwrap_or_default();
        let mut fields = stored.to_le_bytes().to_vec();
        fields.extend_from_slice(self.header.get(6..8).unwrap_or_default());
        tail.extend_from_slice(&crc32(&fields).to_le_bytes());
        tail.extend_from_slice(&fields);
        tail.extend_from_slice(FOOTER_MAGIC);
        tail
    }
}

/// Stream Flags of a Stream Header (section 2.1.1).
fn header_flags(header: &[u8; HEADER]) -> Option<[u8; 2]> {
    checked(header.strip_prefix(MAGIC)?)?.try_into().ok()
}

/// Stream Flags and length of the index, bytes, of a Stream Footer.
fn footer_fields(footer: &[u8; HEADER]) -> Option<([u8; 2], u64)> {
    let (sum, fields) = footer.strip_suffix(FOOTER_MAGIC)?.split_first_chunk()?;
    let (stored, flags) = fields.split_first_chunk()?;
    let size = (u64::from(u32::from_le_bytes(*stored)) + 1) * 4;
    let good = u32::from_le_bytes(*sum) == crc32(fields);
    Some((flags.try_into().ok()?, size)).filter(|_| good)
}

/// The blocks that an index lists, and how many bytes they take.
fn blocks_of(index: &[u8], at: u64) -> Result<(Vec<Block>, u64), XzError> {
    let what = "index";
    let invalid = |why| XzError::Invalid { what, at, why };
    let body = checked(index).ok_or(XzError::Checksum { what, at })?;
    let Some((0, mut rest)) = body.split_first() else {
        return Err(invalid("it does not begin with a zero"));
    };
    let count = number::take(&mut rest).ok_or_else(|| invalid("it has no number of records"))?;
    // A record has two bytes at least.
    if count > rest.len() as u64 / 2 {
        return Err(invalid("it has fewer records than it says"));
    }
    let mut blocks = Vec::new();
    let (mut end, mut raw_end) = (HEADER as u64, 0u64);
    for _ in 0..count {
        let mut number = || number::take(&mut rest).ok_or_else(|| invalid("a record is no number"));
        let (unpadded, raw_length) = (number()?, number()?);
        if unpadded < 5 {
            return Err(invalid("a block is shorter than a block can be"));
        }
        let block = Block {
            offset: end,
            unpadded,
            raw_offset: raw_end,
            raw_length,
        };
        let sums = unpadded
            .checked_next_multiple_of(4)
            .and_then(|padded| end.checked_add(padded))
            .zip(raw_end.checked_add(raw_length));
        (end, raw_end) = sums.ok_or_else(|| invalid("its sizes add up to no size"))?;
        blocks.push(block);
    }
    if rest.len() > 3 || rest.iter().any(|byte| *byte != 0) {
        return Err(invalid("something follows its records"));
    }
    Ok((blocks, end - HEADER as u64))
}
