//! How much memory the decoder of a compressed image takes, told by its first bytes: what it must
//! keep of its output to refer back to.
//!
//! zstd: RFC 8878 section 3.1.1.1; xz: the first block's header, by [`embed::xz`].

use embed::xz::{BLOCK_HEADER, BlockHeader, HEADER};

use super::Format;

/// How many bytes [`need`] wants to see.
pub(super) const LEN: usize = HEADER + BLOCK_HEADER;

/// What a zstd decoder takes beside the window, bytes.
const ZSTD_OVERHEAD: u64 = 512 * 1024;

/// What an xz decoder takes beside the dictionary, bytes.
const XZ_OVERHEAD: u64 = 128 * 1024;

/// Memory to decode a member that begins with `start`, bytes; `None` where that is little, or not
/// to be seen there.
pub(super) fn need(format: Format, start: &[u8]) -> Option<u64> {
    match format {
        Format::Zstd => Some(zstd_window(start)?.saturating_add(ZSTD_OVERHEAD)),
        Format::Xz => Some(xz_dictionary(start)?.saturating_add(XZ_OVERHEAD)),
        Format::Raw | Format::Gzip => None,
    }
}

/// Dictionary of a stream's first block. Later ones may need more, which the decoder notices.
fn xz_dictionary(start: &[u8]) -> Option<u64> {
    let header = BlockHeader::parse(start.get(HEADER..)?, HEADER as u64);
    Some(header.ok()??.dictionary)
}

/// Window_Size of a frame. A skippable frame and a broken header have none.
fn zstd_window(start: &[u8]) -> Option<u64> {
    let rest = start.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    let dictionary = match descriptor & 3 {
        3 => 4,
        n => usize::from(n),
    };
    if descriptor & 0x20 == 0 {
        let window = rest.first()?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A single segment: all of the content, whose size follows the dictionary's number.
    let size = rest.get(dictionary..)?;
    Some(match descriptor >> 6 {
        0 => u64::from(*size.first()?),
        1 => u64::from(u16::from_le_bytes(*size.first_chunk()?)) + 256,
        2 => u64::from(u32::from_le_bytes(*size.first_chunk()?)),
        _ => u64::from_le_bytes(*size.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_window_of_a_frame_is_what_its_encoder_was_told() {
        for log in [10, 17, 27] {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(&[7; 100_000]).unwrap();
            let frame = encoder.finish().unwrap();
            assert_eq!(zstd_window(&frame), Some(1 << log), "2^{log}");
        }
    }

    #[test]
    fn a_single_segment_is_as_large_as_its_content() {
        for size in [100, 1000, 100_000] {
            let frame = zstd::bulk::compress(&vec![7; size], 1).unwrap();
            assert_eq!(zstd_window(&frame), Some(size as u64));
        }
        let huge = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(zstd_window(&huge), Some(1 << 32));
    }

    #[test]
    fn the_dictionary_of_an_xz_stream_is_that_of_its_preset() {
        for (preset, mib) in [(0, 256 << 10), (6, 8 << 20), (9, 64 << 20)] {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), preset);
            encoder.write_all(&[7; 1000]).unwrap();
            let stream = encoder.finish().unwrap();
            assert_eq!(xz_dictionary(&stream), Some(mib), "-{preset}");
            assert_eq!(xz_dictionary(&stream[..13]), None);
        }
    }

    #[test]
    fn what_is_cut_or_no_frame_needs_nothing() {
        let frame = zstd::bulk::compress(&[7; 1000], 1).unwrap();
        for len in 0..6 {
            assert_eq!(zstd_window(&frame[..len]), None);
        }
        assert_eq!(need(Format::Zstd, &[0x50, 0x2a, 0x4d, 0x18, 3, 0]), None);
        assert_eq!(need(Format::Gzip, &frame), None);
    }
}
