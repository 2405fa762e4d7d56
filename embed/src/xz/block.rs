//! Block Headers (section 3.1): which filters a block needs, and how large it says that it is.

use super::{BLOCK_HEADER, XzError, checked, number};

/// Filter ID of LZMA2 (section 5.3.1).
const LZMA2: u64 = 0x21;

/// A Block Header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Its own length, bytes.
    pub length: u64,
    /// Length of the Compressed Data, bytes, if it tells.
    pub compressed: Option<u64>,
    /// Length of what it decodes to, bytes, if it tells.
    pub uncompressed: Option<u64>,
    /// Dictionary of its LZMA2 filter, bytes: what a decoder must keep.
    pub dictionary: u64,
}

impl BlockHeader {
    /// Reads the header that `bytes` begins with, at most [`BLOCK_HEADER`] of them. `at` is its place
    /// in the file, for errors. `None` if an index begins there instead of a block.
    pub fn parse(bytes: &[u8], at: u64) -> Result<Option<Self>, XzError> {
        let invalid = |why| XzError::Invalid {
            what: "block header",
            at,
            why,
        };
        let first = *bytes.first().ok_or_else(|| invalid("it is cut off"))?;
        if first == 0 {
            return Ok(None);
        }
        let length = (usize::from(first) + 1) * 4;
        debug_assert!(length <= BLOCK_HEADER);
        let all = bytes
            .get(..length)
            .ok_or_else(|| invalid("it is cut off"))?;
        let what = "block header";
        let body = checked(all).ok_or(XzError::Checksum { what, at })?;
        let fields = body.get(1..).unwrap_or_default();
        fields_of(fields, length as u64).map(Some).map_err(invalid)
    }
}

/// What follows the size: flags, sizes, filters, padding.
fn fields_of(fields: &[u8], length: u64) -> Result<BlockHeader, &'static str> {
    let (flags, mut rest) = fields.split_first().ok_or("it is cut off")?;
    if flags & 0x3c != 0 {
        return Err("it has flags of a later version");
    }
    let mut size = |bit| {
        let is_there = flags & bit != 0;
        let number = is_there.then(|| number::take(&mut rest).ok_or("a size is no number"));
        number.transpose()
    };
    let (compressed, uncompressed) = (size(0x40)?, size(0x80)?);
    if compressed == Some(0) {
        return Err("its compressed size is zero");
    }
    let mut dictionary = None;
    for _ in 0..=(flags & 3) {
        let id = number::take(&mut rest).ok_or("a filter has no number")?;
        let length = number::take(&mut rest).and_then(|n| usize::try_from(n).ok());
        let properties = length.and_then(|length| rest.split_at_checked(length));
        let (properties, after) = properties.ok_or("a filter is cut off")?;
        rest = after;
        // LZMA2 is the last filter, and the only one with a dictionary.
        dictionary = match (id, properties) {
            (LZMA2, [bits]) => Some(dictionary_of(*bits).ok_or("its dictionary has no size")?),
            (LZMA2, _) => return Err("its LZMA2 filter is not valid"),
            _ => None,
        };
    }
    if rest.iter().any(|byte| *byte != 0) {
        return Err("its padding is not zero");
    }
    Ok(BlockHeader {
        length,
        compressed,
        uncompressed,
        dictionary: dictionary.ok_or("its last filter is not LZMA2")?,
    })
}

fn dictionary_of(bits: u8) -> Option<u64> {
    match bits {
        0..40 => Some(u64::from(2 | (bits & 1)) << (bits / 2 + 11)),
        40 => Some(u64::from(u32::MAX)),
        _ => None,
    }
}
