//! The order of an install as a chain of types, each made from the one before, by value:
//!
//! `Head` + `Saved` → `Interim` → `Written` → `VerifiedDisk` → `Customised` → `Sealed`.
//!
//! The image's first MiB (MBR, partition table, boot code) stays in memory until every other byte
//! is on the disk, verified, customised and flushed. Until `Customised::seal` the disk has no
//! boot code and a table of saved partitions only: cut off at any write, it does not boot.

use std::io;

use embed::progress::Progress;

use crate::disk::gpt::{self, GptError, Table};
use crate::disk::mount::BootError;
use crate::disk::saved::{Saved, SavedError};
use crate::disk::zero::{Run, runs};
use crate::disk::{Disk, HEAD, SectorSize};
use crate::observe::Observer;
use crate::pipeline::{Chunk, ImageError, Pipeline};
use crate::verify::{Trust, Verified};

/// Why an image could not be brought onto a disk in order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The image could not be read, decoded or verified.
    #[error("the image is not good")]
    Image(#[source] ImageError),
    /// The disk failed.
    #[error("cannot {what} at byte {offset}")]
    Disk {
        /// `write`, `zero`, `flush`
        what: &'static str,
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image's table is made for other sectors.
    #[error("the image is made for sectors of {image} bytes; the disk has sectors of {disk} bytes")]
    SectorSize {
        /// That of the image.
        image: SectorSize,
        /// That of the disk.
        disk: SectorSize,
    },
    /// The image does not fit.
    #[error("the image needs {need} bytes; the disk has {have}")]
    TooSmall {
        /// Size of the image as far as known, bytes.
        need: u64,
        /// Size of the disk, bytes.
        have: u64,
    },
    /// The image and a partition to keep do not fit together.
    #[error("the image and the partitions to keep do not fit together")]
    Saved(#[source] SavedError),
    /// The table could not be made.
    #[error("cannot make the partition table")]
    Table(#[source] GptError),
    /// The boot partition could not be edited.
    #[error("cannot put the configuration onto the boot partition")]
    Boot(#[source] BootError),
}

fn disk_error(what: &'static str, offset: u64) -> impl Fn(io::Error) -> SealError {
    move |source| SealError::Disk {
        what,
        offset,
        source,
    }
}

/// Edits what was written, before it becomes bootable.
pub(crate) trait Customise {
    /// `image` is the image's own partition table.
    fn customise(
        &mut self,
        disk: &dyn Disk,
        image: Result<&Table, &GptError>,
    ) -> Result<(), BootError>;
}

/// The first MiB of an image, which is written last.
#[derive(Debug)]
pub(crate) struct Head {
    chunk: Option<Chunk>,
    table: Result<Table, GptError>,
    sector: Option<SectorSize>,
}

impl Head {
    /// Takes the first chunk, whose size is that of the head.
    pub(crate) fn take(image: &mut Pipeline) -> Result<Self, SealError> {
        let chunk = image.next().map_err(SealError::Image)?;
        let bytes = chunk.as_deref().unwrap_or_default();
        let sector = gpt::sector_size_of_image(bytes);
        let table = match sector {
            Some(sector) => Table::of_image(bytes, sector),
            None => Err(GptError::NoSignature),
        };
        Ok(Self {
            table,
            sector,
            chunk,
        })
    }

    /// Everything that can be known to go wrong before the disk is touched.
    pub(crate) fn check(&self, disk: &dyn Disk, saved: &Saved) -> Result<(), SealError> {
        match self.sector {
            Some(image) if image != disk.sector_size() => {
                return Err(SealError::SectorSize {
                    image,
                    disk: disk.sector_size(),
                });
            }
            _ => {}
        }
        if let Ok(table) = &self.table {
            // The image's own backup table is its last sector.
            let sectors = table.other.saturating_add(1);
            check_reach(
                sectors.saturating_mul(table.sector.bytes().into()),
                disk,
                saved,
            )?;
        }
        if saved.count() > 0 {
            let no_table = |e: &GptError| SealError::Saved(SavedError::NoImageTable(e.clone()));
            let table = self.table.as_ref().map_err(no_table)?;
            saved.merge(table).map_err(SealError::Saved)?;
        }
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.chunk.as_deref().unwrap_or_default()
    }
}

/// Refuses data up to `end` if that is beyond the disk or in a saved partition.
fn check_reach(end: u64, disk: &dyn Disk, saved: &Saved) -> Result<(), SealError> {
    if end > disk.len() {
        return Err(SealError::TooSmall {
            need: end,
            have: disk.len(),
        });
    }
    match saved.start() {
        Some(start) if end > start => {
            Err(SealError::Saved(SavedError::Collision { need: end, start }))
        }
        _ => Ok(()),
    }
}

/// A disk that holds nothing but a valid table of the saved partitions, in both places.
#[derive(Clone, Copy)]
pub(crate) struct Interim<'d> {
    disk: &'d dyn Disk,
    saved: &'d Saved,
}

impl<'d> Interim<'d> {
    /// Makes `disk` one. Also what is done after a failure.
    ///
    /// The backup goes first, so that at any time one of the two places has a table with the
    /// saved partitions in it, the old or the new one.
    pub(crate) fn write(disk: &'d dyn Disk, saved: &'d Saved) -> Result<Self, SealError> {
        let sectors = disk.len() / u64::from(disk.sector_size().bytes());
        let rendered = saved.table().render(sectors).map_err(SealError::Table)?;
        write(disk, rendered.backup_offset, &rendered.backup)?;
        flush(disk)?;
        let mut head = vec![0u8; usize::try_from(HEAD).unwrap_or_default()];
        put(&mut head, 0, &gpt::protective_mbr(&[0; 440], sectors));
        put(
            &mut head,
            disk.sector_size().bytes() as usize,
            &rendered.primary,
        );
        write(disk, 0, &head)?;
        flush(disk)?;
        Ok(Self { disk, saved })
    }

    /// Writes everything of the image after its head, and flushes it.
    pub(crate) fn copy(
        self,
        head: Head,
        image: &mut Pipeline,
        observer: &dyn Observer,
    ) -> Result<Written<'d>, SealError> {
        let mut writer = Writer {
            disk: self.disk,
            zero: 0..0,
        };
        let mut size = head.bytes().len() as u64;
        while let Some(chunk) = image.next().map_err(SealError::Image)? {
            size = chunk.offset.saturating_add(chunk.len() as u64);
            check_reach(size, self.disk, self.saved)?;
            writer.write(&chunk)?;
            observer.event(image.progress());
        }
        writer.write_zeroes()?;
        flush(self.disk)?;
        Ok(Written {
            disk: self.disk,
            saved: self.saved,
            head,
            size,
        })
    }
}

/// Writes data as data and joins runs of zeroes over the borders of chunks.
struct Writer<'d> {
    disk: &'d dyn Disk,
    zero: std::ops::Range<u64>,
}

impl Writer<'_> {
    fn write(&mut self, chunk: &Chunk) -> Result<(), SealError> {
        let sector = u64::from(self.disk.sector_size().bytes());
        for run in runs(chunk) {
            match run {
                Run::Zero(range) => {
                    let start = chunk.offset + range.start as u64;
                    // A last, partial sector is filled up with zeroes.
                    let end = (chunk.offset + range.end as u64).next_multiple_of(sector);
                    if self.zero.end != start {
                        self.write_zeroes()?;
                        self.zero = start..start;
                    }
                    self.zero.end = end;
                }
                Run::Data(range) => {
                    let start = chunk.offset + range.start as u64;
                    let data = chunk.get(range).unwrap_or_default();
                    write_padded(self.disk, start, data)?;
                }
            }
        }
        Ok(())
    }

    fn write_zeroes(&mut self) -> Result<(), SealError> {
        let range = std::mem::take(&mut self.zero);
        if range.is_empty() {
            return Ok(());
        }
        self.disk
            .zero_range(range.start, range.end - range.start)
            .map_err(disk_error("zero", range.start))
    }
}

/// The image is on the disk, all but its head; nobody vouches for it yet.
pub(crate) struct Written<'d> {
    disk: &'d dyn Disk,
    saved: &'d Saved,
    head: Head,
    size: u64,
}

impl<'d> Written<'d> {
    /// The source was read to its end, and somebody vouches for all of it.
    pub(crate) fn verified(self, proof: Verified) -> VerifiedDisk<'d> {
        VerifiedDisk {
            written: self,
            proof,
        }
    }
}

/// What is on the disk is known to be the image.
pub(crate) struct VerifiedDisk<'d> {
    written: Written<'d>,
    proof: Verified,
}

impl<'d> VerifiedDisk<'d> {
    /// Edits the boot partition, if asked to, and flushes it.
    pub(crate) fn customise(
        self,
        editor: Option<&mut dyn Customise>,
    ) -> Result<Customised<'d>, SealError> {
        let Written { disk, head, .. } = &self.written;
        if let Some(editor) = editor {
            editor
                .customise(*disk, head.table.as_ref())
                .map_err(SealError::Boot)?;
            flush(*disk)?;
        }
        Ok(Customised { disk: self })
    }
}

/// Verified, and configured as asked for: it may boot.
pub(crate) struct Customised<'d> {
    disk: VerifiedDisk<'d>,
}

/// What was sealed.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) trust: Trust,
    pub(crate) size: u64,
    pub(crate) saved: usize,
}

impl Customised<'_> {
    /// Writes the head: everything in it that does not make the disk boot, then the rest.
    ///
    /// Without saved partitions the result is the image bit by bit; with them its table is moved
    /// to the disk's size and holds them as well.
    pub(crate) fn seal(self, observer: &dyn Observer) -> Result<Sealed, SealError> {
        observer.event(Progress::Sealing);
        let VerifiedDisk {
            written:
                Written {
                    disk,
                    saved,
                    head,
                    size,
                },
            proof,
        } = self.disk;
        let mut bytes = head.bytes().to_vec();
        let sector = disk.sector_size().bytes() as usize;
        bytes.resize(bytes.len().next_multiple_of(sector), 0);
        if saved.count() > 0 {
            merge(disk, saved, &head, &mut bytes)?;
        }
        let start = 2 * sector;
        write(disk, start as u64, bytes.get(start..).unwrap_or_default())?;
        flush(disk)?;
        write(disk, 0, bytes.get(..start).unwrap_or(&bytes))?;
        flush(disk)?;
        Ok(Sealed {
            trust: proof.trust().clone(),
            size,
            saved: saved.count(),
        })
    }
}

/// Puts a table with the saved partitions into the head, after its backup is on the disk.
fn merge(disk: &dyn Disk, saved: &Saved, head: &Head, bytes: &mut [u8]) -> Result<(), SealError> {
    let no_table = |e: &GptError| SealError::Saved(SavedError::NoImageTable(e.clone()));
    let table = saved
        .merge(head.table.as_ref().map_err(no_table)?)
        .map_err(SealError::Saved)?;
    let sector = disk.sector_size().bytes() as usize;
    let sectors = disk.len() / sector as u64;
    let rendered = table.render(sectors).map_err(SealError::Table)?;
    let mut code = [0u8; 440];
    code.copy_from_slice(bytes.get(..440).unwrap_or(&[0; 440]));
    put(bytes, 0, &gpt::protective_mbr(&code, sectors));
    put(bytes, sector, &rendered.primary);
    write(disk, rendered.backup_offset, &rendered.backup)?;
    flush(disk)
}

/// Copies `part` to `at`. Both are ours: a head always has room for a table.
fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    if let Some(to) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..part.len()))
    {
        to.copy_from_slice(part);
    }
}

fn write(disk: &dyn Disk, offset: u64, data: &[u8]) -> Result<(), SealError> {
    disk.write_at(offset, data)
        .map_err(disk_error("write", offset))
}

/// Writes data whose end may be no sector border, filled up with zeroes.
fn write_padded(disk: &dyn Disk, offset: u64, data: &[u8]) -> Result<(), SealError> {
    let sector = disk.sector_size().bytes() as usize;
    let whole = data.len() - data.len() % sector;
    let (body, rest) = data.split_at_checked(whole).unwrap_or((data, &[]));
    if !body.is_empty() {
        write(disk, offset, body)?;
    }
    if !rest.is_empty() {
        let mut last = rest.to_vec();
        last.resize(sector, 0);
        write(disk, offset + whole as u64, &last)?;
    }
    Ok(())
}

fn flush(disk: &dyn Disk) -> Result<(), SealError> {
    disk.flush().map_err(disk_error("flush", 0))
}
