//! Promises of the readers of media and disks: bounded in time and memory, no panic, and what is
//! written is read back as the same.

use std::io::{Cursor, Read as _};
use std::ops::ControlFlow;

use embed::chunks::{Manifest, Part};
use embed::digest::Sha256Digest;
use embed::gpt::{SectorSize, Table, TableError};
use embed::initrd::{Archive, Limits, newc, walk};
use embed::iso::{IsoReader, LiveIso, MinimalIso};
use embed::osmet::{Header, Objects, Osmet};
use embed::stream_hash::StreamHash;
use embed::xz::{Layout, XzError};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    entries: 1000,
};

/// Headers of single entries.
pub(super) fn cpio_newc(data: &[u8]) {
    let mut input = Cursor::new(data);
    while let Ok(Some(entry)) = newc::read_entry(&mut input) {
        assert!(entry.name.len() <= data.len());
    }
}

/// Concatenated, compressed archives stay within their limits, and are read back as written.
pub(super) fn initrd(data: &[u8]) {
    let mut total = 0u64;
    let _ = walk(data, LIMITS, |_, contents| {
        let mut sink = Vec::new();
        let _ = contents.read_to_end(&mut sink);
        total += sink.len() as u64;
        Ok(ControlFlow::Continue(()))
    });
    assert!(total <= LIMITS.bytes);
    if let Ok(archive) = Archive::read(data, LIMITS)
        && let Ok(written) = archive.to_cpio()
    {
        let again = Archive::read(written.as_slice(), Limits::AREA);
        let same = again.is_ok_and(|again| again.iter().eq(archive.iter()));
        assert!(same, "an archive changed when it was written and read");
    }
}

/// Directories and areas of live images.
pub(super) fn iso(data: &[u8]) {
    if let Ok(mut iso) = IsoReader::open(Cursor::new(data)) {
        let _ = iso.descriptors();
        let _ = iso.boot_entries();
        for file in iso.tree().unwrap_or_default() {
            let _ = iso.read(&file.path, 1 << 20);
        }
        let _ = MinimalIso::find(&mut iso);
    }
    if let Ok(mut live) = LiveIso::open(Cursor::new(data)) {
        let _ = (live.embedded().is_ok(), live.kargs().is_ok());
        let _ = (live.is_pristine(), live.default_kargs(), live.reset());
    }
}

/// Descriptions of minimal images are read back as written, and unpack to no more than the image.
pub(super) fn minimal_iso(data: &[u8]) {
    let Ok(description) = MinimalIso::read(data) else {
        return;
    };
    if let Ok(written) = description.to_bytes() {
        let same = MinimalIso::read(&written).is_ok_and(|again| again == description);
        assert!(same, "a description changed when it was written and read");
    }
    let mut out = Vec::new();
    let _ = description.unpack(Cursor::new(data), &mut out);
    assert!(out.len() <= data.len() + 1);
}

/// Objects of one content, whatever their name.
struct Sevens;

impl Objects for Sevens {
    type Object = Cursor<[u8; 5000]>;

    fn open(&self, _: Sha256Digest) -> std::io::Result<Self::Object> {
        Ok(Cursor::new([7; 5000]))
    }
}

/// An osmet file that is accepted makes an image of the size that it tells, or an error.
pub(super) fn osmet(data: &[u8]) {
    const MOST: u64 = 1 << 20;
    let _ = Header::read(data);
    let mut input = data;
    let Ok((_, osmet)) = Osmet::read(&mut input) else {
        return;
    };
    let (size, shared) = (osmet.size, osmet.shared());
    assert!(shared <= size, "more is shared than there is");
    if let Ok(unpacked) = osmet.unpack(input, Sevens) {
        let mut image = Vec::new();
        let read = unpacked.take(MOST).read_to_end(&mut image);
        assert!(image.len() as u64 <= size);
        assert!(read.is_err() || image.len() as u64 == size.min(MOST));
    }
}

/// Reads `data` as a disk that has nothing behind its end.
fn reader(data: &[u8]) -> impl Fn(u64, &mut [u8]) -> std::io::Result<()> {
    |offset, buffer| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = data.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A table that was read and passes its check is read back as rendered.
pub(super) fn gpt(data: &[u8]) {
    for sector in [SectorSize::B512, SectorSize::B4096] {
        let table = match Table::read(reader(data), sector, data.len() as u64) {
            Ok(table) => table,
            Err(error) => {
                assert!(!matches!(error, TableError::Io(_)), "read past the end");
                continue;
            }
        };
        let sectors = data.len() as u64 / u64::from(sector.bytes());
        if let Ok(rendered) = table.render(sectors) {
            let mut head = vec![0; sector.bytes() as usize];
            head.extend_from_slice(&rendered.primary);
            let again = Table::of_image(&head, sector);
            assert!(again.is_ok_and(|again| again.entries == table.entries));
        }
    }
}

/// Partitions of an MBR are numbered upward, few, and read from within the disk.
pub(super) fn mbr(data: &[u8]) {
    for sector in [SectorSize::B512, SectorSize::B4096] {
        let found = embed::mbr::read(reader(data), sector, data.len() as u64);
        assert!(found.is_ok(), "read past the end");
        let found = found.unwrap_or_default();
        assert!(found.len() <= 4 + 4 * 128);
        assert!(found.is_sorted_by_key(|partition| partition.number));
        assert!(found.iter().all(|partition| partition.length > 0));
    }
}

/// A list of chunk digests never lets unverified bytes through.
pub(super) fn stream_hash(data: &[u8]) {
    let (list, body) = data.split_at(data.len() / 2);
    if let Ok(text) = std::str::from_utf8(list)
        && let Ok(hashes) = StreamHash::parse(text)
    {
        let mut out = Vec::new();
        let result = hashes.verify(body).read_to_end(&mut out);
        assert!(body.starts_with(&out));
        assert!(result.is_err() || out == body);
    }
}

/// A chunk manifest that is accepted covers its image once and in order, with frames that lie in
/// the packed file one after the other, and is read back as written.
pub(super) fn chunks(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else {
        return;
    };
    let (mut end, mut frame_end) = (0, 0);
    for part in manifest.parts() {
        assert_eq!(part.offset(), end, "a gap or an overlap");
        assert!(part.end() > part.offset(), "a part of nothing");
        end = part.end();
        if let Part::Chunk(chunk) = part {
            assert!(
                chunk.length <= manifest.chunk_size(),
                "a chunk that is too long"
            );
            assert!(chunk.frame_offset >= frame_end, "frames that overlap");
            frame_end = chunk.frame_end();
        }
    }
    assert_eq!(end, manifest.image().size);
    assert!(frame_end <= manifest.file().size, "a frame beyond the file");
    let again = manifest
        .to_json()
        .ok()
        .and_then(|json| Manifest::parse(&json).ok());
    assert_eq!(
        again,
        Some(manifest),
        "a manifest changed when it was written and read"
    );
}

/// Blocks lie in the file, in order and without gaps, and nothing is read beyond its end.
pub(super) fn xz(data: &[u8]) {
    let read_at = |offset: u64, buffer: &mut [u8]| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = data.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let layout = match Layout::read(data.len() as u64, read_at) {
        Ok(Some(layout)) => layout,
        Ok(None) => return,
        Err(error) => {
            assert!(!matches!(error, XzError::Io { .. }), "read past the end");
            return;
        }
    };
    let (mut end, mut raw_end) = (layout.header.len() as u64, 0);
    for block in &layout.blocks {
        assert_eq!((block.offset, block.raw_offset), (end, raw_end));
        (end, raw_end) = (block.end(), raw_end + block.raw_length);
        let header = layout.block_header(block, read_at);
        assert!(
            !matches!(header, Err(XzError::Io { .. })),
            "read past the end"
        );
        assert!(layout.tail_of(block).len() <= 48);
    }
    assert_eq!(end + layout.tail.len() as u64, data.len() as u64);
}
