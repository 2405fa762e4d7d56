//! Goes through an initrd as the kernel does: cpio archives, plain or compressed, one after the
//! other, with zero bytes between them.
//!
//! Bounded: total size, number of entries and name lengths are limited, whatever headers claim.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::ops::ControlFlow;

use super::InitrdError;
use super::newc::{self, Entry};

/// What an initrd may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression, all members together.
    pub bytes: u64,
    /// Entries, all members together.
    pub entries: u64,
}

impl Limits {
    /// For whole initramfs images.
    pub const IMAGE: Self = Self {
        bytes: 4 << 30,
        entries: 500_000,
    };
    /// For embed areas and per-machine archives.
    pub const AREA: Self = Self {
        bytes: 64 << 20,
        entries: 10_000,
    };
}

/// Called with each entry and a reader of its data.
type Visit<'a> = dyn FnMut(&Entry, &mut dyn Read) -> Result<ControlFlow<()>, InitrdError> + 'a;

/// Calls `visit` with each entry and a reader of its data, in order, until it breaks or the initrd
/// ends. Data that `visit` leaves unread is skipped.
pub fn walk(
    mut input: impl BufRead,
    limits: Limits,
    mut visit: impl FnMut(&Entry, &mut dyn Read) -> Result<ControlFlow<()>, InitrdError>,
) -> Result<(), InitrdError> {
    let mut budget = Budget {
        limits,
        bytes: limits.bytes,
        entries: limits.entries,
    };
    while !skip_zeros(&mut input)? {
        let mut magic = Vec::with_capacity(6);
        input
            .by_ref()
            .take(6)
            .read_to_end(&mut magic)
            .map_err(InitrdError::Io)?;
        let member = Cursor::new(magic.clone()).chain(&mut input);
        if read_member(&magic, member, &mut budget, &mut visit)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn read_member(
    magic: &[u8],
    member: impl BufRead,
    budget: &mut Budget,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, InitrdError> {
    match magic {
        m if m == newc::MAGIC || m == newc::MAGIC_CRC => archive(
            &mut Metered {
                inner: member,
                budget,
            },
            visit,
        ),
        [0x1f, 0x8b, ..] => compressed(flate2::bufread::GzDecoder::new(member), budget, visit),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            compressed(liblzma::bufread::XzDecoder::new(member), budget, visit)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder =
                zstd::stream::read::Decoder::with_buffer(member).map_err(InitrdError::Io)?;
            compressed(decoder.single_frame(), budget, visit)
        }
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => skip_zstd_frame(member),
        [0x5d, 0, ..] => Err(InitrdError::Compression("lzma")),
        [b'B', b'Z', b'h', ..] => Err(InitrdError::Compression("bzip2")),
        [0x02, 0x21, 0x4c, 0x18, ..] => Err(InitrdError::Compression("lz4")),
        [0x89, b'L', b'Z', b'O', ..] => Err(InitrdError::Compression("lzo")),
        _ => Err(InitrdError::UnknownMember(magic.to_vec())),
    }
}

struct Budget {
    limits: Limits,
    bytes: u64,
    entries: u64,
}

/// Counts what is read against the budget.
struct Metered<'a, R> {
    inner: R,
    budget: &'a mut Budget,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        let limit = self.budget.limits.bytes;
        self.budget.bytes = self.budget.bytes.checked_sub(n as u64).ok_or_else(|| {
            io::Error::other(InitrdError::Limit {
                what: "unpacked size",
                limit,
            })
        })?;
        Ok(n)
    }
}

fn compressed(
    decoder: impl Read,
    budget: &mut Budget,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, InitrdError> {
    let mut reader = Metered {
        inner: BufReader::with_capacity(64 * 1024, decoder),
        budget,
    };
    if archive(&mut reader, visit)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let mut rest = [0u8; 4096];
    loop {
        let n = reader.read(&mut rest).map_err(InitrdError::Io)?;
        if n == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if rest.iter().take(n).any(|&b| b != 0) {
            return Err(InitrdError::Trailing);
        }
    }
}

fn archive<R: Read>(
    reader: &mut Metered<'_, R>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, InitrdError> {
    while let Some(entry) = newc::read_entry(reader)? {
        let limit = reader.budget.limits.entries;
        let left = reader.budget.entries.checked_sub(1);
        reader.budget.entries = left.ok_or(InitrdError::Limit {
            what: "number of entries",
            limit,
        })?;
        let mut data = reader.by_ref().take(entry.size);
        let flow = visit(&entry, &mut data)?;
        if flow.is_break() {
            return Ok(flow);
        }
        io::copy(&mut data, &mut io::sink()).map_err(InitrdError::Io)?;
        if data.limit() > 0 {
            return Err(InitrdError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let pad = newc::padding(usize::try_from(entry.size % 4).unwrap_or_default());
        let mut zeros = [0u8; 3];
        reader
            .read_exact(zeros.get_mut(..pad).unwrap_or_default())
            .map_err(InitrdError::Io)?;
    }
    Ok(ControlFlow::Continue(()))
}

/// Skips zero bytes; true at the end of the input.
fn skip_zeros(input: &mut impl BufRead) -> Result<bool, InitrdError> {
    loop {
        let buffer = input.fill_buf().map_err(InitrdError::Io)?;
        if buffer.is_empty() {
            return Ok(true);
        }
        let zeros = buffer.iter().take_while(|&&b| b == 0).count();
        let all = zeros == buffer.len();
        input.consume(zeros);
        if !all {
            return Ok(false);
        }
    }
}

/// Skips a zstd skippable frame (RFC 8878, 3.1.2): magic, u32 length, content.
fn skip_zstd_frame(mut member: impl Read) -> Result<ControlFlow<()>, InitrdError> {
    let mut head = [0u8; 8];
    member.read_exact(&mut head).map_err(InitrdError::Io)?;
    let [_, _, _, _, a, b, c, d] = head;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let skipped = io::copy(&mut member.take(length), &mut io::sink()).map_err(InitrdError::Io)?;
    if skipped < length {
        return Err(InitrdError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(ControlFlow::Continue(()))
}
