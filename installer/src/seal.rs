//! The order of an install as a chain of types, each made from the one before, by value:
//!
//! `Head` + `Saved` → `Interim` → `Written` → `VerifiedDisk` → `Customised` → `Sealed`.
//!
//! The image's first MiB (MBR, partition table, boot code) stays in memory until every other byte
//! is on the disk, verified, customised and flushed. Until `Customised::seal` the disk has no
//! boot code and a table of saved partitions only: cut off at any write, it does not boot.

mod head;
mod write;

use std::io;

use embed::progress::Progress;

use crate::disk::mount::BootError;
use crate::disk::saved::{Saved, SavedError};
use crate::disk::{Disk, HEAD, SectorSize};
use crate::observe::Observer;
use crate::pipeline::{ImageError, Pipeline};
use crate::verify::{Trust, Verified};
use embed::gpt::{self, GptError, Table};

pub(crate) use head::Head;
use head::check_reach;
use write::{Writer, flush, put, write};

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

/// Edits what was written, before it becomes bootable.
pub(crate) trait Customise {
    /// `image` is the image's own partition table.
    fn customise(
        &mut self,
        disk: &dyn Disk,
        image: Result<&Table, &GptError>,
    ) -> Result<(), BootError>;
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
        let mut writer = Writer::new(self.disk);
        let mut size = head.bytes().len() as u64;
        while let Some(chunk) = image.next(observer).map_err(SealError::Image)? {
            let end = chunk.offset.saturating_add(chunk.len() as u64);
            check_reach(end, self.disk, self.saved)?;
            size = size.max(end);
            writer.write(&chunk)?;
            observer.event(image.progress());
        }
        writer.finish()?;
        Ok(Written {
            disk: self.disk,
            saved: self.saved,
            head,
            size,
        })
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
                .customise(*disk, head.table())
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
        let (bytes, backup) = head.for_disk(disk, saved)?;
        if let Some(table) = backup {
            write(disk, table.backup_offset, &table.backup)?;
            flush(disk)?;
        }
        let start = 2 * disk.sector_size().bytes() as usize;
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
