//! The work itself: one thread reads the image in chunks and hashes it, one thread a processor
//! compresses, and the caller puts the frames in order and writes them.
//!
//! Buffers come from a pool and go home when their frame is written, so memory is bounded however
//! unequal the chunks are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use embed::chunks::{Manifest, RawImage};
use embed::digest::Sha256Digest;
use embed::gpt;
use embed::progress::Progress;
use sha2::{Digest as _, Sha256};
use zstd::bulk::Compressor;

use super::list::List;
use super::{PackError, PackRequest};
use crate::cancel::Cancel;
use crate::observe::Observer;
use crate::pipeline::pool::{Pool, Pooled};

/// Buffers for each compressing thread: one that it works on, one that waits.
const BUFFERS: usize = 2;

/// A chunk of the raw image on its way.
struct Cell {
    number: u64,
    len: usize,
    /// `None` for zeroes.
    data: Option<Pooled<Vec<u8>>>,
}

/// A compressed chunk. Keeps its buffer, so that no thread runs ahead of the writer for ever.
pub(super) struct Done {
    pub(super) raw_len: usize,
    /// Digests of data and frame; `None` for zeroes.
    pub(super) digests: Option<(Sha256Digest, Sha256Digest)>,
    pub(super) frame: Arc<Vec<u8>>,
    _buffer: Option<Pooled<Vec<u8>>>,
}

type Results = Receiver<(u64, io::Result<Done>)>;

/// Everything that the threads need to know.
pub(super) struct Work<'a> {
    pub(super) request: &'a PackRequest,
    pub(super) observer: &'a dyn Observer,
    pub(super) cancel: &'a Cancel,
}

impl Work<'_> {
    /// Compresses `raw` to `out`, which `name` is in messages.
    pub(super) fn run(
        &self,
        raw: File,
        out: &mut impl Write,
        name: &Path,
    ) -> Result<Manifest, PackError> {
        let total = raw.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let level = self.request.level;
        let (cells, queue) = channel();
        let (results, done) = channel();
        let queue = Arc::new(Mutex::new(queue));
        std::thread::scope(|scope| {
            let reader = Reader {
                raw,
                path: &self.request.raw,
                chunk_size: self.request.chunk_size as usize,
                buffers: threads.saturating_mul(BUFFERS),
                cancel: self.cancel,
            };
            let reader = scope.spawn(move || reader.run(&cells));
            for _ in 0..threads {
                let (queue, results) = (Arc::clone(&queue), results.clone());
                scope.spawn(move || compress(level, &queue, &results));
            }
            drop((queue, results));
            let list = self.write(done, total, out, name);
            let read = reader.join().map_err(|_| PackError::Broken)?;
            // A reader that stopped is the reason why the writer saw an end.
            let list = match (read, list) {
                (Err(error), Ok(_)) => return Err(error),
                (_, Err(error)) => return Err(error),
                (Ok(image), Ok(list)) => (image, list),
            };
            let (image, list) = list;
            list.finish(image, out, name)
        })
    }

    /// Writes frames in order as they come.
    fn write(
        &self,
        done: Results,
        total: Option<u64>,
        out: &mut impl Write,
        name: &Path,
    ) -> Result<List, PackError> {
        let mut list = List::new(self.request.chunk_size);
        let mut early = BTreeMap::new();
        let mut next = 0u64;
        for (number, result) in done {
            let level = self.request.level;
            let result = result.map_err(|source| PackError::Compress { level, source })?;
            early.insert(number, result);
            while let Some(done) = early.remove(&next) {
                list.add(&done, out, name)?;
                next = next.saturating_add(1);
                self.observer.event(Progress::Copying {
                    bytes: list.raw_size(),
                    total,
                });
            }
        }
        Ok(list)
    }
}

/// The reading thread.
struct Reader<'a> {
    raw: File,
    path: &'a Path,
    chunk_size: usize,
    buffers: usize,
    cancel: &'a Cancel,
}

impl Reader<'_> {
    fn run(mut self, cells: &Sender<Cell>) -> Result<RawImage, PackError> {
        let pool = Pool::new(self.buffers, || vec![0u8; self.chunk_size]);
        let mut hasher = Sha256::new();
        let mut size = 0u64;
        let mut sector_size = None;
        for number in 0.. {
            self.cancel.check()?;
            let Some(mut buffer) = pool.take() else {
                return Err(PackError::Broken);
            };
            let len = fill(&mut self.raw, &mut buffer).map_err(|source| PackError::Read {
                path: self.path.to_owned(),
                source,
            })?;
            let data = buffer.get(..len).unwrap_or_default();
            if number == 0 {
                sector_size = gpt::sector_size_of_image(data).map(gpt::SectorSize::bytes);
            }
            hasher.update(data);
            size = size.saturating_add(len as u64);
            let zero = is_zero(data);
            let cell = Cell {
                number,
                len,
                data: (!zero).then_some(buffer),
            };
            // A short read is the end. A writer that gave up has its own reason.
            if len > 0 && cells.send(cell).is_err() || len < self.chunk_size {
                break;
            }
        }
        Ok(RawImage {
            size,
            sha256: Sha256Digest::finish(hasher),
            sector_size,
        })
    }
}

fn fill(raw: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match raw.read(rest) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

fn is_zero(data: &[u8]) -> bool {
    static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];
    data.chunks(ZEROES.len())
        .all(|part| ZEROES.get(..part.len()) == Some(part))
}

/// A compressing thread.
fn compress(level: i32, queue: &Mutex<Receiver<Cell>>, results: &Sender<(u64, io::Result<Done>)>) {
    let mut zeroes: Option<(usize, Arc<Vec<u8>>)> = None;
    let mut compressor = match compressor(level) {
        Ok(compressor) => compressor,
        Err(error) => {
            let _ = results.send((0, Err(error)));
            return;
        }
    };
    loop {
        let cell = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(cell) = cell else {
            return;
        };
        let number = cell.number;
        let done = match &zeroes {
            Some((len, frame)) if cell.data.is_none() && *len == cell.len => Ok(Done {
                raw_len: cell.len,
                digests: None,
                frame: Arc::clone(frame),
                _buffer: None,
            }),
            _ => frame(&mut compressor, cell),
        };
        match &done {
            Ok(done) if done.digests.is_none() => {
                zeroes = Some((done.raw_len, Arc::clone(&done.frame)));
            }
            _ => {}
        }
        // A writer that gave up has its own reason.
        if results.send((number, done)).is_err() {
            return;
        }
    }
}

/// A compressor whose frames tell their content's size and checksum, for whoever reads the file
/// without the manifest.
fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.include_contentsize(true)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

fn frame(compressor: &mut Compressor<'_>, cell: Cell) -> io::Result<Done> {
    let Some(buffer) = cell.data else {
        return Ok(Done {
            raw_len: cell.len,
            digests: None,
            frame: Arc::new(compressor.compress(&vec![0; cell.len])?),
            _buffer: None,
        });
    };
    let data = buffer.get(..cell.len).unwrap_or_default();
    let frame = compressor.compress(data)?;
    Ok(Done {
        raw_len: cell.len,
        digests: Some((Sha256Digest::of(data), Sha256Digest::of(&frame))),
        frame: Arc::new(frame),
        _buffer: Some(buffer),
    })
}
