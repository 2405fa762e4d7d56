//! What an install would do, from the very checks that a real one begins with. Nothing is written.

use std::path::PathBuf;

use crate::cancel::Cancel;
use crate::disk::{Content, Disk as _, PartitionContent, SectorSize, TargetError, content};
use crate::observe::Observer;
use crate::verify::Means;

use super::{InstallCause, InstallError, Request, Target, prepare, untouched};

/// An install that could begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rehearsal {
    /// Path or URL of the image.
    pub image: String,
    /// Its size as published, bytes, if the source tells it.
    pub image_size: Option<u64>,
    /// How the image would be checked.
    pub means: Means,
    /// Names of the image's partitions; none if its table lies beyond its first MiB.
    pub partitions: Vec<String>,
    /// The target.
    pub device: PathBuf,
    /// Its size, bytes.
    pub device_size: u64,
    /// Its sector size.
    pub sector_size: SectorSize,
    /// What is on it now.
    pub content: Content,
    /// Numbers of the partitions that would be kept.
    pub kept: Vec<u32>,
}

impl Rehearsal {
    /// The partitions that would be lost.
    pub fn lost(&self) -> impl Iterator<Item = &PartitionContent> {
        self.content
            .partitions
            .iter()
            .filter(|partition| !self.kept.contains(&partition.number))
    }
}

/// Checks everything that a real install checks before its first write, up to the first MiB of
/// the image, and tells what it would do then.
#[expect(
    clippy::result_large_err,
    reason = "made once in a program's life, and matched on by its fields"
)]
pub fn rehearse(
    request: &Request<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Rehearsal, InstallError> {
    let mut prepared = prepare(request, observer, cancel)?;
    let target = Target {
        disk: &prepared.device,
        path: &request.device,
        saved: &prepared.saved,
        on_error: request.on_error,
    };
    let head = target.head(&mut prepared.image, observer)?;
    let content = content::look(&prepared.device).map_err(|source| {
        let device = request.device.clone();
        let error = TargetError::Open { device, source };
        untouched(&request.device, InstallCause::Target(error))
    })?;
    Ok(Rehearsal {
        image: prepared.image.name().to_owned(),
        image_size: prepared.image.total(),
        means: prepared.means,
        partitions: head
            .table()
            .map(|table| table.entries.values().map(|entry| entry.name()).collect())
            .unwrap_or_default(),
        device: request.device.clone(),
        device_size: prepared.device.len(),
        sector_size: prepared.device.sector_size(),
        content,
        kept: prepared.saved.table().entries.keys().copied().collect(),
    })
}
