//! The thread that reads a packed file: the frames of its chunks, or all of it, hashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use embed::chunks::Manifest;
use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use super::{Job, Outcome, Ready};
use crate::cancel::Cancel;
use crate::disk::aligned::AlignedBuf;
use crate::pipeline::ImageError;
use crate::pipeline::pool::Pool;
use crate::source::SourceError;
use crate::source::listed::{Frames, Place};
use crate::verify::{Unlisted, VerifyError};

/// Size of the pieces in which bytes between frames are read, bytes.
const PIECE: usize = 64 * 1024;

/// The reading thread.
pub(super) struct Fetch {
    /// Path or URL of the image.
    pub(super) image: String,
    pub(super) manifest: Arc<Manifest>,
    pub(super) frames: Frames,
    /// How many chunks are on their way at a time.
    pub(super) buffers: usize,
    /// How far the file was read, bytes.
    pub(super) fetched: Arc<AtomicU64>,
    /// Takes in all of the file, if that is asked for.
    pub(super) hasher: Option<Sha256>,
    pub(super) stop: Cancel,
    pub(super) outcomes: Sender<(u64, Outcome)>,
}

/// There is nobody to read for any more, and they have their own reason.
struct Abandoned;

impl Fetch {
    pub(super) fn run(mut self, jobs: &Sender<Job>) {
        let size = self.manifest.image().size;
        let outcome = match self.frames(jobs) {
            Ok(Err(Abandoned)) => return,
            Ok(Ok(())) if self.hasher.is_none() => return,
            Ok(Ok(())) => (size, self.rest()),
            Err((offset, error)) => (offset, Err(image_error(error))),
        };
        // A caller that gave up has its own reason.
        let _ = self.outcomes.send(outcome);
    }

    /// Reads the frames. A failure comes with the place in the image that it is about.
    fn frames(&mut self, jobs: &Sender<Job>) -> Result<Result<(), Abandoned>, (u64, SourceError)> {
        let manifest = Arc::clone(&self.manifest);
        let size = manifest.chunk_size() as usize;
        let raw = Pool::new(self.buffers, || AlignedBuf::zeroed(size));
        let frames = Pool::new(self.buffers, Vec::new);
        for (number, chunk) in manifest.chunks().iter().enumerate() {
            let (Some(raw), Some(mut frame)) = (raw.take(), frames.take()) else {
                return Ok(Err(Abandoned));
            };
            frame.resize(chunk.frame_length as usize, 0);
            let place = self
                .gap(chunk.frame_offset)
                .and_then(|()| self.read(chunk.frame_offset, &mut frame))
                .map_err(|error| (chunk.offset, error))?;
            let job = Job {
                number,
                frame,
                raw,
                place,
            };
            if jobs.send(job).is_err() {
                return Ok(Err(Abandoned));
            }
        }
        Ok(Ok(()))
    }

    /// Reads what is between two frames, if all of the file is wanted.
    fn gap(&mut self, end: u64) -> Result<(), SourceError> {
        if self.hasher.is_none() {
            return Ok(());
        }
        let mut piece = vec![0; PIECE];
        loop {
            let at = self.fetched.load(Ordering::Relaxed);
            let left = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE);
            if left == 0 {
                return Ok(());
            }
            let len = left.min(PIECE);
            self.read(at, piece.get_mut(..len).unwrap_or_default())?;
        }
    }

    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<Place, SourceError> {
        self.stop.check()?;
        let place = self.frames.read(at, buf)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&*buf);
        }
        let end = at.saturating_add(buf.len() as u64);
        self.fetched.store(end, Ordering::Relaxed);
        Ok(place)
    }

    /// Reads what follows the last frame; whether the file is the one that is listed.
    fn rest(&mut self) -> Outcome {
        let listed = self.manifest.file().clone();
        self.gap(listed.size).map_err(image_error)?;
        let name = self.image.clone();
        if !self.frames.is_at_end().map_err(image_error)? {
            let size = listed.size;
            return Err(ImageError::Verify(VerifyError::PackedSurplus {
                name,
                size,
            }));
        }
        let got = Sha256Digest::finish(self.hasher.take().unwrap_or_default());
        if got != listed.sha256 {
            let want = listed.sha256;
            let unlisted = Box::new(Unlisted { name, want, got });
            return Err(ImageError::Verify(VerifyError::PackedDigest(unlisted)));
        }
        Ok(Ready::File)
    }
}

fn image_error(error: SourceError) -> ImageError {
    match error {
        SourceError::Cancelled(cancelled) => cancelled.into(),
        error => ImageError::Source(error),
    }
}
