//! Making an osmet file: everything of an image that no mapping covers, compressed behind the
//! list of mappings. Taking it out again is tried before it is called done.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use liblzma::write::XzEncoder;

use super::{Header, Objects, Osmet, OsmetError, Partition};
use crate::digest::Sha256Digest;

impl Osmet {
    /// Describes `image` by what `partitions` say that objects have of it.
    pub fn of_image(
        mut image: impl Read + Seek,
        partitions: Vec<Partition>,
    ) -> Result<Self, OsmetError> {
        image.rewind().map_err(OsmetError::Io)?;
        let (sha256, size) = Sha256Digest::of_reader(image).map_err(OsmetError::Io)?;
        let osmet = Self {
            partitions,
            sha256,
            size,
        };
        osmet.check().map(|()| osmet)
    }

    /// How many bytes of the image objects have.
    pub fn shared(&self) -> u64 {
        let mappings = self.partitions.iter().flat_map(|p| &p.mappings);
        mappings.map(|mapping| mapping.length).sum()
    }

    /// Writes the file, with what only `image` has compressed by `preset` (0 to 9).
    pub fn write(
        &self,
        header: &Header,
        mut image: impl Read + Seek,
        preset: u32,
        mut out: impl Write,
    ) -> Result<(), OsmetError> {
        self.write_parts(header, &mut image, preset, &mut out)
            .map_err(OsmetError::Io)
    }

    fn write_parts<I: Read + Seek, W: Write>(
        &self,
        header: &Header,
        image: &mut I,
        preset: u32,
        out: &mut W,
    ) -> io::Result<()> {
        out.write_all(&self.to_bytes(header))?;
        let mut packed = XzEncoder::new(out, preset);
        let mut at = 0;
        for partition in &self.partitions {
            for mapping in &partition.mappings {
                let start = partition.start.saturating_add(mapping.physical);
                copy(image, at, start, &mut packed)?;
                at = start.saturating_add(mapping.length);
            }
        }
        copy(image, at, self.size, &mut packed)?;
        packed.finish()?.flush()
    }

    /// Takes the image out of a written file and compares digests.
    pub fn verify(written: impl Read, objects: impl Objects) -> Result<(), OsmetError> {
        let mut written = BufReader::new(written);
        let (_, osmet) = Self::read(&mut written)?;
        let want = osmet.sha256;
        let unpacked = osmet.unpack(written, objects)?;
        let (got, _) = Sha256Digest::of_reader(unpacked).map_err(of_reader)?;
        match want == got {
            true => Ok(()),
            false => Err(OsmetError::Digest { want, got }),
        }
    }
}

/// The error of an [`super::Unpacked`], as it was before it went through a [`Read`].
fn of_reader(error: io::Error) -> OsmetError {
    error.downcast().unwrap_or_else(OsmetError::Io)
}

/// Copies bytes `from` to `to` of the image.
fn copy<I: Read + Seek>(image: &mut I, from: u64, to: u64, out: &mut impl Write) -> io::Result<()> {
    image.seek(SeekFrom::Start(from))?;
    let length = to.saturating_sub(from);
    match io::copy(&mut image.take(length), out)? {
        copied if copied == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
