//! The first MiB of an image: what it says about the rest before anything is written, and how it
//! will look on a disk that keeps partitions.

use crate::disk::saved::{Saved, SavedError};
use crate::disk::{Disk, HEAD, SectorSize};
use crate::observe::Observer;
use crate::pipeline::{Chunk, Pipeline};
use embed::gpt::{self, GptError, Table};

use super::SealError;
use super::write::put;

/// The first MiB of an image, which is written last.
#[derive(Debug)]
pub(crate) struct Head {
    chunk: Option<Chunk>,
    table: Result<Table, GptError>,
    sector: Option<SectorSize>,
}

impl Head {
    /// Takes the first chunk, whose size is that of the head.
    pub(crate) fn take(image: &mut Pipeline, observer: &dyn Observer) -> Result<Self, SealError> {
        let chunk = image.next(observer).map_err(SealError::Image)?;
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
            let sectors = table.last.saturating_add(1);
            check_reach(
                sectors.saturating_mul(table.sector.bytes().into()),
                disk,
                saved,
            )?;
        }
        if saved.count() > 0 {
            self.merged(saved)?;
        }
        Ok(())
    }

    /// The image's own table.
    pub(crate) fn table(&self) -> Result<&Table, &GptError> {
        self.table.as_ref()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.chunk.as_deref().unwrap_or_default()
    }

    /// The head as it goes to `disk`, in whole sectors; with partitions to keep, also the backup
    /// of its table and where that goes.
    pub(super) fn for_disk(
        &self,
        disk: &dyn Disk,
        saved: &Saved,
    ) -> Result<(Vec<u8>, Option<gpt::Rendered>), SealError> {
        let sector = disk.sector_size().bytes() as usize;
        let mut bytes = self.bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(sector), 0);
        if saved.count() == 0 {
            return Ok((bytes, None));
        }
        bytes.resize(usize::try_from(HEAD).unwrap_or_default(), 0);
        let sectors = disk.len() / sector as u64;
        let rendered = self
            .merged(saved)?
            .render(sectors)
            .map_err(SealError::Table)?;
        let code = bytes.first_chunk().copied().unwrap_or([0; 440]);
        put(&mut bytes, 0, &gpt::protective_mbr(&code, sectors));
        put(&mut bytes, sector, &rendered.primary);
        Ok((bytes, Some(rendered)))
    }

    fn merged(&self, saved: &Saved) -> Result<Table, SealError> {
        let no_table = |e: &GptError| SealError::Saved(SavedError::NoImageTable(e.clone()));
        saved
            .merge(self.table.as_ref().map_err(no_table)?)
            .map_err(SealError::Saved)
    }
}

/// Refuses data up to `end` if that is beyond the disk or in a saved partition.
pub(super) fn check_reach(end: u64, disk: &dyn Disk, saved: &Saved) -> Result<(), SealError> {
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
