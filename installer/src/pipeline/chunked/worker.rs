//! A thread that checks frames and decodes them, and gets a bad one from wherever it can be had.

use std::io;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use embed::chunks::{Chunk as Entry, Manifest};
use zstd::bulk::Decompressor;

use super::{Job, Outcome, Ready};
use crate::decode::{DecodeError, Format};
use crate::pipeline::ImageError;
use crate::source::http::frames::Again;
use crate::source::{MirrorFailure, SourceError};
use crate::verify::{CheckedChunk, Content, Fault, VerifyError};

/// A thread that checks and decodes.
#[derive(Clone)]
pub(super) struct Worker {
    /// Path or URL of the image.
    pub(super) image: String,
    pub(super) manifest: Arc<Manifest>,
    pub(super) content: Content,
    /// Where a bad frame can be had again.
    pub(super) again: Option<Again>,
    pub(super) queue: Arc<Mutex<Receiver<Job>>>,
    pub(super) outcomes: Sender<(u64, Outcome)>,
}

impl Worker {
    pub(super) fn run(self) {
        let mut decoder = Decompressor::new();
        loop {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(job) = queue.recv() else {
                return;
            };
            drop(queue);
            let Some(chunk) = self.manifest.chunks().get(job.number) else {
                return;
            };
            let outcome = match &mut decoder {
                Ok(decoder) => self.check(chunk, job, decoder),
                Err(error) => Err(self.no_decoder(error)),
            };
            if self.outcomes.send((chunk.offset, outcome)).is_err() {
                return;
            }
        }
    }

    fn no_decoder(&self, error: &io::Error) -> ImageError {
        ImageError::Decode {
            name: self.image.clone(),
            source: DecodeError::Corrupt {
                format: Format::Zstd,
                at: 0,
                source: io::Error::new(error.kind(), error.to_string()),
            },
        }
    }

    /// Checks a frame; one that is bad is had again from wherever it can be had.
    fn check(&self, chunk: &Entry, job: Job, decoder: &mut Decompressor<'_>) -> Outcome {
        let Job {
            number,
            mut frame,
            mut raw,
            place,
        } = job;
        let mut failures = Vec::new();
        let mut from = place.0;
        let mut rest = self.again.iter().flat_map(|a| a.places_after(place.0));
        loop {
            let reason = match CheckedChunk::check(chunk, self.content, &frame, decoder, raw) {
                Ok(checked) => return Ok(Ready::Chunk(checked)),
                Err((Fault::Content(reason), _)) => {
                    return Err(self.error(VerifyError::ChunkContent {
                        name: self.image.clone(),
                        number,
                        offset: chunk.offset,
                        reason,
                    }));
                }
                Err((Fault::Frame(got), buf)) => {
                    raw = buf;
                    format!("it gave a frame with sha256 {got}")
                }
            };
            self.failed(&mut failures, from, reason);
            // The next place that gives any frame at all.
            loop {
                let (Some(again), Some(next)) = (&self.again, rest.next()) else {
                    return Err(self.error(VerifyError::Chunk {
                        number,
                        offset: chunk.offset,
                        want: chunk.frame_sha256,
                        failures,
                    }));
                };
                if let Some(failure) = failures.last() {
                    again.tell(failure, next);
                }
                from = next;
                match again.read(next, chunk, &mut frame) {
                    Ok(()) => break,
                    Err(SourceError::Cancelled(cancelled)) => return Err(cancelled.into()),
                    Err(error) => self.failed(&mut failures, next, error.in_one_line()),
                }
            }
        }
    }

    fn failed(&self, failures: &mut Vec<MirrorFailure>, place: usize, reason: String) {
        let url = match &self.again {
            Some(again) => again.name(place),
            None => self.image.clone(),
        };
        failures.push(MirrorFailure { url, reason });
    }

    fn error(&self, error: VerifyError) -> ImageError {
        ImageError::Verify(error)
    }
}
