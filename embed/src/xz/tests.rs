//! Layouts of files that an encoder made, and of files whose every field lies.

use std::io::Write as _;

use liblzma::stream::{Check, MtStreamBuilder};

use super::*;

const BLOCK: usize = 64 * 1024;

fn sample() -> Vec<u8> {
    (0..80_000u32).flat_map(|n| (n / 3).to_le_bytes()).collect()
}

/// `sample` in blocks of [`BLOCK`], with sizes in their headers.
fn file() -> Vec<u8> {
    let stream = MtStreamBuilder::new()
        .threads(1)
        .block_size(BLOCK as u64)
        .preset(1)
        .check(Check::Crc64)
        .encoder()
        .unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(&sample()).unwrap();
    encoder.finish().unwrap()
}

fn read(file: &[u8]) -> Result<Option<Layout>, XzError> {
    Layout::read(file.len() as u64, at(file))
}

fn at(file: &[u8]) -> impl Fn(u64, &mut [u8]) -> io::Result<()> {
    move |at, bytes| {
        let at = usize::try_from(at).unwrap();
        bytes.copy_from_slice(&file[at..at + bytes.len()]);
        Ok(())
    }
}

/// Where the index begins.
fn index_at(file: &[u8]) -> usize {
    file.len() - read(file).unwrap().unwrap().tail.len()
}

/// The file with its index exchanged, all checksums made right.
fn with_index(file: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = file[..index_at(file)].to_vec();
    let mut index = body.to_vec();
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend_from_slice(&crc32(&index).to_le_bytes());
    out.extend_from_slice(&index);
    let mut fields = u32::try_from(index.len() / 4 - 1)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    fields.extend_from_slice(&file[6..8]);
    out.extend_from_slice(&crc32(&fields).to_le_bytes());
    out.extend_from_slice(&fields);
    out.extend_from_slice(b"YZ");
    out
}

fn index(records: &[(u64, u64)]) -> Vec<u8> {
    let mut body = vec![0];
    number::put(&mut body, records.len() as u64);
    for (unpadded, raw) in records {
        number::put(&mut body, *unpadded);
        number::put(&mut body, *raw);
    }
    body
}

/// Unpadded and uncompressed size of each block.
type Records = Vec<(u64, u64)>;

fn records(file: &[u8]) -> Records {
    let layout = read(file).unwrap().unwrap();
    let record = |block: &Block| (block.unpadded, block.raw_length);
    layout.blocks.iter().map(record).collect()
}

#[test]
fn every_block_is_a_stream_of_its_own_with_the_header_and_a_tail() {
    let file = file();
    let layout = read(&file).unwrap().unwrap();
    assert_eq!(layout.blocks.len(), sample().len().div_ceil(BLOCK));
    let mut all = Vec::new();
    for block in &layout.blocks {
        assert_eq!(block.raw_offset, all.len() as u64);
        let header = layout.block_header(block, at(&file)).unwrap();
        assert_eq!(header.dictionary, 1 << 20);
        assert_eq!(header.uncompressed, Some(block.raw_length));
        let place = |at| usize::try_from(at).unwrap();
        let range = place(block.offset)..place(block.end());
        let stream = [&layout.header[..], &file[range], &layout.tail_of(block)].concat();
        let mut decoder = liblzma::read::XzDecoder::new(&stream[..]);
        let before = all.len();
        io::Read::read_to_end(&mut decoder, &mut all).unwrap();
        assert_eq!((all.len() - before) as u64, block.raw_length);
    }
    assert!(all == sample());
}

#[test]
fn what_is_not_one_whole_stream_has_no_layout() {
    let file = file();
    let padded = [&file[..], &[0; 4]].concat();
    let trailing = [&file[..], b"tail"].concat();
    let twice = [&file[..], &file].concat();
    let offset = [&[0; 4], &file[..]].concat();
    for other in [&padded[..], &trailing, &twice, &offset, b"", b"\xfd7zXZ\0"] {
        assert_eq!(read(other).unwrap(), None);
    }
    for cut in 1..200 {
        assert_eq!(read(&file[..file.len() - cut]).unwrap(), None, "{cut}");
    }
    // A damaged footer or header is for a decoder to judge.
    for place in (0..12).chain(file.len() - 12..file.len()) {
        let mut flipped = file.clone();
        flipped[place] ^= 1;
        assert_eq!(read(&flipped).unwrap(), None, "{place}");
    }
}

#[test]
fn a_flipped_bit_in_the_index_is_told() {
    let file = file();
    let start = index_at(&file);
    for place in start..file.len() - 12 {
        let mut flipped = file.clone();
        flipped[place] ^= 0x10;
        let error = read(&flipped).unwrap_err();
        assert!(
            matches!(error, XzError::Checksum { what: "index", at } if at == start as u64),
            "{place}: {error:?}"
        );
    }
}

#[test]
fn an_index_with_right_checksums_and_wrong_contents_is_refused_by_what_is_wrong() {
    let file = file();
    let good = records(&file);
    assert_eq!(with_index(&file, &index(&good)), file);
    let last = good.len() - 1;
    let edit = |edit: &dyn Fn(&mut Records)| {
        let mut records = good.clone();
        edit(&mut records);
        with_index(&file, &index(&records))
    };
    let mut few = index(&good);
    few[1] += 1;
    let mut more = index(&good);
    more[1] -= 1;
    let refused = [
        (edit(&|r| r[0].0 += 4), "bytes of blocks; the file has room"),
        (
            edit(&|r| r.push((8, 1))),
            "bytes of blocks; the file has room",
        ),
        (
            edit(&|r| r[0].0 = 4),
            "a block is shorter than a block can be",
        ),
        (
            edit(&|r| r[last].0 = u64::MAX >> 1),
            "bytes of blocks; the file has room",
        ),
        (
            edit(&|r| {
                r.push((8, u64::MAX >> 1));
                r.push((8, u64::MAX >> 1));
                r.push((8, 2))
            }),
            "add up to no size",
        ),
        (with_index(&file, &few), "a record is no number"),
        (with_index(&file, &more), "something follows its records"),
        (
            with_index(&file, &[0, 0xff, 0xff, 0x7f]),
            "fewer records than it says",
        ),
        (with_index(&file, &[1, 0]), "it does not begin with a zero"),
        (
            with_index(&file, &[0, 0x80, 0, 0]),
            "it has no number of records",
        ),
    ];
    for (bytes, want) in refused {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(want), "{error}; not: {want}");
    }
    // Fewer bytes of blocks than there are: another stream could come first.
    assert_eq!(read(&edit(&|r| r.truncate(last))).unwrap(), None);
}

#[test]
fn a_footer_whose_index_would_begin_before_the_file_is_refused() {
    let mut file = file();
    let end = file.len();
    file[end - 8..end - 4].fill(0xff);
    let sum = crc32(&file[end - 8..end - 2]).to_le_bytes();
    file[end - 12..end - 8].copy_from_slice(&sum);
    let error = read(&file).unwrap_err().to_string();
    assert!(
        error.contains("its index would begin before the file"),
        "{error}"
    );
}

#[test]
fn a_block_header_that_disagrees_with_the_index_is_refused() {
    let file = file();
    let good = records(&file);
    let mut moved = good.clone();
    moved[0].1 -= 1;
    moved[1].1 += 1;
    let mut shifted = good.clone();
    shifted[0].0 -= 8;
    shifted[1].0 += 8;
    for (records, block, want) in [
        (moved, 0, "its uncompressed size is"),
        (shifted.clone(), 0, "its compressed size is"),
        (shifted, 1, "the "),
    ] {
        let file = with_index(&file, &index(&records));
        let layout = read(&file).unwrap().unwrap();
        let error = layout
            .block_header(&layout.blocks[block], at(&file))
            .unwrap_err();
        assert!(error.to_string().contains(want), "{error}; not: {want}");
    }
    let mut flipped = file.clone();
    flipped[14] ^= 1;
    let layout = read(&flipped).unwrap().unwrap();
    let error = layout
        .block_header(&layout.blocks[0], at(&flipped))
        .unwrap_err();
    assert!(
        matches!(
            error,
            XzError::Checksum {
                what: "block header",
                at: 12
            }
        ),
        "{error:?}"
    );
}

#[test]
fn block_headers_with_unknown_flags_filters_or_sizes_are_refused() {
    let header = |fields: &[u8]| {
        let mut bytes = vec![0];
        bytes.extend_from_slice(fields);
        bytes.resize((bytes.len() + 4).next_multiple_of(4) - 4, 0);
        bytes[0] = u8::try_from(bytes.len() / 4).unwrap();
        bytes.extend_from_slice(&crc32(&bytes).to_le_bytes());
        bytes
    };
    let good = header(&[0x00, 0x21, 1, 28]);
    let parsed = BlockHeader::parse(&good, 0).unwrap().unwrap();
    assert_eq!((parsed.dictionary, parsed.compressed), (64 << 20, None));
    let largest = header(&[0x00, 0x21, 1, 40]);
    let parsed = BlockHeader::parse(&largest, 0).unwrap().unwrap();
    assert_eq!(parsed.dictionary, u64::from(u32::MAX));
    for (fields, want) in [
        (&[0x04, 0x21, 1, 28][..], "flags of a later version"),
        (&[0x00, 0x21, 1, 41], "its dictionary has no size"),
        (&[0x00, 0x21, 2, 28, 0], "its LZMA2 filter is not valid"),
        (&[0x00, 0x04, 0], "its last filter is not LZMA2"),
        (
            &[0x01, 0x21, 1, 28, 0x04, 0],
            "its last filter is not LZMA2",
        ),
        (&[0x00, 0x21, 100, 28], "a filter is cut off"),
        (&[0x40, 0x00, 0x21, 1, 28], "its compressed size is zero"),
        (
            &[
                0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            "a size is no number",
        ),
        (&[0x00, 0x21, 1, 28, 0, 7], "its padding is not zero"),
    ] {
        let error = BlockHeader::parse(&header(fields), 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains(want), "{error}; not: {want}");
    }
    assert_eq!(BlockHeader::parse(&[0, 1, 2], 0).unwrap(), None);
    assert!(BlockHeader::parse(&good[..8], 0).is_err());
    assert!(BlockHeader::parse(&[], 0).is_err());
}
