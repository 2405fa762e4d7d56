//! The newc cpio format, one entry at a time: a writer that streams, and the header's reader.
//!
//! Entries are written with owner 0, time 0 and one link, so the same input gives the same bytes.
//! Format: `buffer-format.rst` of the Linux kernel: 6 bytes of magic, 13 numbers of 8 hex digits,
//! the name with its NUL padded to 4, the data padded to 4.

use std::io::{self, Read, Write};

use super::InitrdError;

/// Magic of an entry without checksum.
pub const MAGIC: &[u8; 6] = b"070701";
/// Magic of an entry with checksum, read alike.
pub const MAGIC_CRC: &[u8; 6] = b"070702";
/// Name of the entry that ends an archive.
pub const TRAILER: &str = "TRAILER!!!";
/// Longest name that is read, bytes with NUL.
pub const MAX_NAME: usize = 4096;

const HEADER: usize = 110;
/// Of files and of directories: the kernel counts for itself.
const LINKS: u32 = 1;
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFLNK: u32 = 0o120_000;

/// What an entry's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path, as written (`usr/bin/x`; `./x` and `/x` occur).
    pub name: String,
    /// File type and permissions as in `stat(2)`.
    pub mode: u32,
    /// Bytes of data that follow.
    pub size: u64,
}

impl Entry {
    /// Whether the entry is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & S_IFMT == S_IFREG
    }

    /// Whether the entry is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & S_IFMT == S_IFDIR
    }

    /// Whether the entry is a symbolic link; its data are the target.
    pub fn is_symlink(&self) -> bool {
        self.mode & S_IFMT == S_IFLNK
    }
}

/// Reads one header and name; `None` at the trailer. The data and its padding follow in `input`.
pub fn read_entry(input: &mut impl Read) -> Result<Option<Entry>, InitrdError> {
    let mut header = [0u8; HEADER];
    input.read_exact(&mut header).map_err(InitrdError::Io)?;
    if !header.starts_with(MAGIC) && !header.starts_with(MAGIC_CRC) {
        return Err(InitrdError::Header("no newc magic"));
    }
    let field = |index: usize| {
        let start = 6 + 8 * index;
        header
            .get(start..start + 8)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(InitrdError::Header("a number is not hexadecimal"))
    };
    let (mode, size) = (field(1)?, u64::from(field(6)?));
    let name_size = usize::try_from(field(11)?).unwrap_or(usize::MAX);
    if name_size == 0 || name_size > MAX_NAME {
        return Err(InitrdError::Header("bad name length"));
    }
    let mut name = vec![0u8; name_size + padding(HEADER + name_size)];
    input.read_exact(&mut name).map_err(InitrdError::Io)?;
    name.truncate(name_size);
    let end = name
        .iter()
        .position(|&b| b == 0)
        .ok_or(InitrdError::Header("name has no NUL"))?;
    name.truncate(end);
    let name = String::from_utf8(name).map_err(|_| InitrdError::Header("name is not UTF-8"))?;
    Ok((name != TRAILER).then_some(Entry { name, mode, size }))
}

/// Zero bytes that follow `length` bytes so that the next item starts at a multiple of 4.
pub(crate) fn padding(length: usize) -> usize {
    (4 - length % 4) % 4
}

/// Writes an archive entry by entry.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    inode: u32,
}

impl<W: Write> Writer<W> {
    /// Starts an archive; `output` must be at a multiple of 4 bytes from the initrd's start.
    pub fn new(output: W) -> Self {
        Self { output, inode: 0 }
    }

    /// Adds a directory. Parents must have been added before.
    pub fn directory(&mut self, path: &str, permissions: u32) -> io::Result<()> {
        self.header(path, S_IFDIR | permissions, 0)
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        let size = target.len() as u64;
        self.data(path, S_IFLNK | 0o777, size, target.as_bytes())
    }

    /// Adds a file of exactly `size` bytes, which are read from `data`.
    pub fn file(
        &mut self,
        path: &str,
        permissions: u32,
        size: u64,
        data: impl Read,
    ) -> io::Result<()> {
        self.data(path, S_IFREG | permissions, size, data)
    }

    fn data(&mut self, path: &str, mode: u32, size: u64, data: impl Read) -> io::Result<()> {
        self.header(path, mode, size)?;
        let copied = io::copy(&mut data.take(size), &mut self.output)?;
        if copied != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{path} ends at byte {copied} of {size}"),
            ));
        }
        self.pad(usize::try_from(size % 4).unwrap_or_default())
    }

    /// Writes the trailer and gives the output back, at a multiple of 4 bytes.
    pub fn finish(mut self) -> io::Result<W> {
        self.inode = 0;
        self.header(TRAILER, 0, 0)?;
        Ok(self.output)
    }

    fn header(&mut self, name: &str, mode: u32, size: u64) -> io::Result<()> {
        let invalid =
            |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: {what}"));
        let size =
            u32::try_from(size).map_err(|_| invalid("a cpio member holds less than 4 GiB"))?;
        if name.len() + 1 > MAX_NAME || name.contains('\0') {
            return Err(invalid("not a name for a cpio member"));
        }
        let name_size = u32::try_from(name.len() + 1).map_err(|_| invalid("name is too long"))?;
        let fields = [
            self.inode, mode, 0, 0, LINKS, 0, size, 0, 0, 0, 0, name_size, 0,
        ];
        self.inode += 1;
        self.output.write_all(MAGIC)?;
        for field in fields {
            write!(self.output, "{field:08x}")?;
        }
        self.output.write_all(name.as_bytes())?;
        self.output.write_all(&[0])?;
        self.pad(HEADER + name.len() + 1)
    }

    fn pad(&mut self, length: usize) -> io::Result<()> {
        self.output
            .write_all([0u8; 3].get(..padding(length)).unwrap_or_default())
    }
}
