//! The primary tree of an ISO 9660 image: where a file's bytes are.
//!
//! Reads ECMA-119 directory records only; Rock Ridge, Joliet and path tables are not needed to find
//! the areas. Files of 4 GiB and more have several records, whose extents must follow each other.
//! Directories are bounded in size and depth.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::IsoError;

/// Bytes in a sector (ECMA-119 6.1.2).
pub(super) const SECTOR: u64 = 2048;
const MAX_DIRECTORY: u64 = 4 << 20;
const FLAG_DIRECTORY: u8 = 0x02;
/// More records of the same file follow (9.1.6).
const FLAG_MORE: u8 = 0x80;

/// Bytes `offset .. offset + length` of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// An opened image.
#[derive(Debug)]
pub struct IsoReader<F> {
    file: F,
    size: u64,
    root: Extent,
    volume_id: String,
}

impl<F: Read + Seek> IsoReader<F> {
    /// Finds the primary volume descriptor (ECMA-119 8.4).
    pub fn open(mut file: F) -> Result<Self, IsoError> {
        let size = file.seek(SeekFrom::End(0)).map_err(IsoError::Io)?;
        for sector in 16..32 {
            let extent = Extent {
                offset: sector * SECTOR,
                length: SECTOR,
            };
            if extent.offset + SECTOR > size {
                return Err(IsoError::Format("file ends before the volume descriptors"));
            }
            let data = read_extent(&mut file, extent)?;
            if data.get(1..6) != Some(b"CD001".as_slice()) {
                return Err(IsoError::Format("no volume descriptor"));
            }
            match data.first() {
                Some(1) => return Self::from_descriptor(file, size, &data),
                Some(255) => break,
                _ => {}
            }
        }
        Err(IsoError::Format("no primary volume descriptor"))
    }

    fn from_descriptor(file: F, size: u64, data: &[u8]) -> Result<Self, IsoError> {
        let want = u64::from(u32_at(data, 80).unwrap_or_default()) * SECTOR;
        if size < want {
            return Err(IsoError::Incomplete { have: size, want });
        }
        let record = data
            .get(156..190)
            .ok_or(IsoError::Format("no root directory"))?;
        let root = record_extent(record).ok_or(IsoError::Format("no root directory"))?;
        let volume_id = String::from_utf8_lossy(data.get(40..72).unwrap_or_default());
        let volume_id = volume_id.trim_end_matches([' ', '\0']).to_owned();
        Ok(Self {
            file,
            size,
            root,
            volume_id,
        })
    }

    /// The volume identifier, without padding.
    pub fn volume_id(&self) -> &str {
        &self.volume_id
    }

    /// Size of the image file, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Place of the file at `path` (`coreos/igninfo.json`; case and 8.3 shortening are looked
    /// through), or `None`.
    pub fn find(&mut self, path: &str) -> Result<Option<Extent>, IsoError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.find_directory(parent)? {
            Some(directory) => self.lookup(directory, name, false),
            None => Ok(None),
        }
    }

    /// Place of the directory at `path`, or `None`.
    pub fn find_directory(&mut self, path: &str) -> Result<Option<Extent>, IsoError> {
        let mut extent = self.root;
        for component in path.split('/').filter(|c| !c.is_empty()) {
            match self.lookup(extent, component, true)? {
                Some(found) => extent = found,
                None => return Ok(None),
            }
        }
        Ok(Some(extent))
    }

    /// Place of the file at `path`, which must be there.
    pub fn existing(&mut self, path: &str) -> Result<Extent, IsoError> {
        self.find(path)?
            .ok_or_else(|| IsoError::NoFile(path.to_owned()))
    }

    /// Content of the file at `path`, which may have at most `limit` bytes.
    pub fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, IsoError> {
        let extent = self.existing(path)?;
        if extent.length > limit {
            return Err(IsoError::Format("a file is larger than any of its kind"));
        }
        read_extent(&mut self.file, extent)
    }

    /// Content of an extent, which must lie within the image.
    pub fn read_extent(&mut self, extent: Extent) -> Result<Vec<u8>, IsoError> {
        self.check(extent)?;
        read_extent(&mut self.file, extent)
    }

    /// Opens the content of an extent for reading.
    pub fn open_extent(&mut self, extent: Extent) -> Result<impl Read, IsoError> {
        self.check(extent)?;
        let start = SeekFrom::Start(extent.offset);
        self.file.seek(start).map_err(IsoError::Io)?;
        Ok(self.file.by_ref().take(extent.length))
    }

    /// Copies the content of an extent to `output`.
    pub fn copy_extent(&mut self, extent: Extent, mut output: impl Write) -> Result<(), IsoError> {
        let mut content = self.open_extent(extent)?;
        match io::copy(&mut content, &mut output).map_err(IsoError::Io)? {
            n if n == extent.length => Ok(()),
            _ => Err(IsoError::Format("a file lies outside the image")),
        }
    }

    /// The image's bytes, at any place.
    pub(super) fn raw(&mut self) -> &mut F {
        &mut self.file
    }

    /// The underlying file.
    pub fn into_inner(self) -> F {
        self.file
    }

    fn check(&self, extent: Extent) -> Result<(), IsoError> {
        match extent.offset.checked_add(extent.length) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(IsoError::Format("a file lies outside the image")),
        }
    }

    fn lookup(
        &mut self,
        directory: Extent,
        name: &str,
        want_directory: bool,
    ) -> Result<Option<Extent>, IsoError> {
        let found = self
            .records(directory)?
            .into_iter()
            .find(|record| record.is_directory == want_directory && same_name(&record.name, name));
        if let Some(record) = &found {
            self.check(record.extent)?;
        }
        Ok(found.map(|record| record.extent))
    }

    /// The records of the root directory.
    pub(super) fn root_records(&mut self) -> Result<Vec<Record>, IsoError> {
        self.records(self.root)
    }

    /// The records of a directory; one for each file, whatever its size.
    pub(super) fn records(&mut self, directory: Extent) -> Result<Vec<Record>, IsoError> {
        if directory.length > MAX_DIRECTORY {
            return Err(IsoError::Format("a directory is too large"));
        }
        let data = self.read_extent(directory)?;
        let mut records: Vec<Record> = Vec::new();
        // A record never crosses a sector's end; a zero length means "next sector" (6.8.1.1).
        for sector in data.chunks(2048) {
            let mut rest = sector;
            while let Some(&length) = rest.first().filter(|&&length| length != 0) {
                let (record, next) = rest
                    .split_at_checked(usize::from(length))
                    .ok_or(IsoError::Format("a directory record crosses a sector"))?;
                rest = next;
                let Some(record) = Record::parse(record)? else {
                    continue;
                };
                match records.last_mut().filter(|last| last.more) {
                    Some(last) => last.continue_with(record)?,
                    None => records.push(record),
                }
            }
        }
        match records.last() {
            Some(last) if last.more => Err(IsoError::Format("a file has no last piece")),
            _ => Ok(records),
        }
    }
}

/// A file or directory in its parent.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) extent: Extent,
    pub(super) is_directory: bool,
    more: bool,
}

impl Record {
    /// `None` for the entries of the directory itself and its parent.
    fn parse(record: &[u8]) -> Result<Option<Self>, IsoError> {
        let bad = || IsoError::Format("a directory record is broken");
        let extent = record_extent(record).ok_or_else(bad)?;
        let flags = *record.get(25).ok_or_else(bad)?;
        let name_length = usize::from(*record.get(32).ok_or_else(bad)?);
        let name = record.get(33..33 + name_length).ok_or_else(bad)?;
        if matches!(name, [0] | [1]) {
            return Ok(None);
        }
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let name = name.strip_suffix(";1").unwrap_or(&name);
        let name = name
            .strip_suffix('.')
            .unwrap_or(name)
            .replace([';', '/'], ".");
        Ok(Some(Self {
            name,
            extent,
            is_directory: flags & FLAG_DIRECTORY != 0,
            more: flags & FLAG_MORE != 0,
        }))
    }

    /// Adds the next piece of the same file.
    fn continue_with(&mut self, next: Self) -> Result<(), IsoError> {
        let follows = next.name == self.name
            && next.is_directory == self.is_directory
            && self.extent.offset.checked_add(self.extent.length) == Some(next.extent.offset);
        if !follows {
            return Err(IsoError::Format("the pieces of a file are scattered"));
        }
        self.extent.length += next.extent.length;
        self.more = next.more;
        Ok(())
    }
}

fn same_name(stored: &str, wanted: &str) -> bool {
    if stored.eq_ignore_ascii_case(wanted) {
        return true;
    }
    let short = |part: &str, most: usize| part.chars().take(most).collect::<String>();
    let (base, extension) = wanted.rsplit_once('.').unwrap_or((wanted, ""));
    let mut shortened = short(base, 8);
    if !extension.is_empty() {
        shortened = format!("{shortened}.{}", short(extension, 3));
    }
    stored.eq_ignore_ascii_case(&shortened)
}

fn record_extent(record: &[u8]) -> Option<Extent> {
    let offset = u64::from(u32_at(record, 2)?) * SECTOR;
    Some(Extent {
        offset,
        length: u64::from(u32_at(record, 10)?),
    })
}

pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn read_extent(file: &mut (impl Read + Seek), extent: Extent) -> Result<Vec<u8>, IsoError> {
    file.seek(SeekFrom::Start(extent.offset))
        .map_err(IsoError::Io)?;
    let mut data = Vec::new();
    file.take(extent.length)
        .read_to_end(&mut data)
        .map_err(IsoError::Io)?;
    if data.len() as u64 != extent.length {
        return Err(IsoError::Format("a file lies outside the image"));
    }
    Ok(data)
}
